"""DVC's reproduction, with the cache looked at where DVC trusts it, and the machine's refusals told in one message.

DVC restores what its cache has without reading it first, records a folder whose files did not fit on the disk, and
passes an ``OSError`` on as "unexpected error". The ends of its cache are public methods, wrapped here while our own
``repro`` runs DVC in this process; a plain ``dvc repro`` stays as it is.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc import dvcfile
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.stage import Stage
from dvc.stage.cache import RunCacheNotFoundError, StageCache
from dvc.stage.exceptions import StageCmdFailedError
from dvc.utils.serialize import dump_yaml, parse_yaml, parse_yaml_for_update
from voluptuous import Invalid

from stagewise.config.cache import LockedOut, damaged_objects, missing_objects, set_aside
from stagewise.config.life import HOLDERS
from stagewise.config.machine import explain
from stagewise.errors import StageError

_KILLED = ("exited with -9", "exited with 137")  # by the kernel itself, or as a shell puts it


class GuardError(DvcException):  # type: ignore[misc]
    """What DVC did not notice or did not explain; it ends the run like any error of DVC's own."""


@contextmanager
def guarded(root: Path) -> Iterator[None]:
    """Have DVC, while this lasts, hash what it is about to restore, and check what it has put into the cache.

    Whatever a killed DVC left half written in the project at ``root`` is taken out of the way first.
    """
    _mend(root)
    whole: set[Path] = set()
    modify = dvcfile.modify_yaml
    restore, outs_cached, commit, reproduce = StageCache.restore, Stage.outs_cached, Output.commit, Stage.reproduce

    def lenient_restore(cache: Any, stage: Any, *args: Any, **kwargs: Any) -> None:
        """Killed between two steps, DVC leaves an empty folder in its run-cache, over which it stumbles for ever."""
        try:
            restore(cache, stage, *args, **kwargs)
        except TypeError:
            raise RunCacheNotFoundError(stage) from None

    def checked_outs_cached(stage: Any) -> bool:
        """DVC asks this of what it is about to restore, and of nothing else; where it is false, the stage runs."""
        for out in stage.outs:
            _set_damaged_aside(out, whole)
        return bool(outs_cached(stage))

    def checked_commit(out: Any, *args: Any, **kwargs: Any) -> None:
        """DVC copies only what the cache lacks, so what lies there already is hashed too."""
        _set_damaged_aside(out, whole)
        commit(out, *args, **kwargs)
        _check_kept(out)

    def explained_reproduce(stage: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return reproduce(stage, *args, **kwargs)
        except Exception as error:
            if (told := _explain(error, stage)) is None:
                raise
            raise GuardError(str(told)) from None

    StageCache.restore, Stage.outs_cached = lenient_restore, checked_outs_cached
    Output.commit, Stage.reproduce = checked_commit, explained_reproduce
    dvcfile.modify_yaml = _modify_whole
    try:
        yield
    finally:
        StageCache.restore, Stage.outs_cached = restore, outs_cached
        Output.commit, Stage.reproduce = commit, reproduce
        dvcfile.modify_yaml = modify


def _mend(root: Path) -> None:
    """Take away what a kill of a plain ``dvc repro`` can leave cut off, over which every later run would stumble."""
    holders, lock = root / HOLDERS, root / "dvc.lock"
    if holders.is_file() and not _reads(holders, json.loads):
        holders.unlink()
    if lock.is_file() and not _reads(lock, lambda text: COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, str(lock)))):
        lock.replace(lock.with_name("dvc.lock.damaged"))
        print("dvc.lock is cut off: set aside as dvc.lock.damaged; what the cache has is restored", flush=True)


def _reads(file: Path, parse: Callable[[str], Any]) -> bool:
    try:
        parse(file.read_text(encoding="utf-8"))
    except (ValueError, DvcException, Invalid):
        return False
    return True


@contextmanager
def _modify_whole(path: str, fs: Any = None) -> Iterator[Any]:
    """Change dvc.lock as DVC does, but by renaming: a kill or a full disk leaves the old one or the new one."""
    file = Path(path)
    data = parse_yaml_for_update(file.read_text(encoding="utf-8"), path) if file.is_file() else {}
    yield data
    new = file.with_name(f".{file.name}.new")
    try:
        dump_yaml(str(new), data, fs=fs)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _set_damaged_aside(out: Any, whole: set[Path]) -> None:
    """Take damaged objects of an output out of the cache, and say so."""
    if (locked := _locked(out)) is None:
        return
    for damaged in damaged_objects(Path(out.cache.path), locked, whole):
        aside = os.path.relpath(set_aside(damaged))
        print(f"{damaged.path} is damaged in the cache ({damaged.why}): set aside as {aside}, not used", flush=True)


def _check_kept(out: Any) -> None:
    cache = Path(out.cache.path)
    missing = missing_objects(cache, locked) if (locked := _locked(out)) is not None else []
    if missing:
        free = shutil.disk_usage(cache).free
        raise StageError(
            f"{out.def_path} is not whole in the cache, and is not recorded",
            where=str(cache),
            why=f"{len(missing)} of its objects could not be written; {free:,} bytes are free there",
            details=[f"{lost.path} is missing" for lost in missing[:5]],
            fix="free some space on that disk, then: stagewise repro",
        )


def _locked(out: Any) -> LockedOut | None:
    """Return an output as it is named in a cache on this machine; None where it is kept in none."""
    kept = out.use_cache and out.hash_info and out.hash_name == "md5" and out.cache.fs.protocol == "local"
    return LockedOut(out.def_path, str(out.hash_info.value)) if kept else None


def _explain(error: Exception, stage: Any) -> StageError | None:
    if isinstance(error, StageError):
        return error
    if isinstance(error, StageCmdFailedError):
        return _killed(stage) if str(error).endswith(_KILLED) else None
    return explain(error, Path(stage.repo.root_dir), DvcException)


def _killed(stage: Any) -> StageError:
    return StageError(
        f"the stage {stage.addressing} was killed; nothing of it was recorded",
        why="SIGKILL: most often the system had no memory left (its log tells: dmesg, or journalctl -k)",
        fix="close other programs, or lower trainer.batch_size or trainer.workers, then: stagewise repro",
    )
