"""The frame of a running stage: its settings, its lock, its staging folders, its life and death.

A stage gets nothing but ``build/<stage>.yaml``. It writes each output into a staging folder that is renamed
into place at the end, so that an output is either whole or absent. It dies with its parent, so that no
orphan keeps writing after ``dvc repro`` was killed.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from stagewise.config import history
from stagewise.config.digests import digest_bytes
from stagewise.config.inputs import fingerprint_inputs, moved_inputs
from stagewise.config.keys import code_and_libraries, code_behind
from stagewise.config.life import die_with_parent
from stagewise.config.locks import hold, hold_pipeline
from stagewise.config.machine import explain
from stagewise.config.named_files import named_files
from stagewise.errors import StageError, StagewiseError

Settings = TypeVar("Settings", bound=BaseModel)

log = logging.getLogger(__name__)

USER_ERROR = 2
"""Exit code after a mistake of the user."""


class StageRun:
    """One run of a stage, given to the body of the stage script."""

    def __init__(self, name: str, root: Path) -> None:
        """Read ``build/<name>.yaml`` of the project at ``root``."""
        self.name = name
        self.root = root
        self.work = root / ".stagewise"
        """Folder for what outlives a run but is no output: partial downloads, logs, checkpoints."""
        self._file = root / "build" / f"{name}.yaml"
        self._entry = _read_entry(self._file, name)
        self._inputs = fingerprint_inputs(root, name)

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the stage's config as a typed object.

        Raises:
            StageError: the file does not hold what the stage expects.
        """
        try:
            return kind.model_validate(self._entry["config"])
        except (KeyError, ValidationError) as error:
            raise StageError(
                f"build/{self.name}.yaml does not fit the stage", why=str(error), fix="dvc repro --force configure"
            ) from error

    @property
    def mirror(self) -> Path | None:
        """The folder named by STAGEWISE_MIRROR: where files come from, never what they are."""
        value = os.environ.get("STAGEWISE_MIRROR")
        return Path(value) if value else None

    @property
    def key(self) -> str:
        """The stage's key: the digest of all that enters it beside its data."""
        return str(self._entry["key"])

    def entries(self) -> dict[str, dict[str, Any]]:
        """Return what entered every stage, by its name: the ``key``, and the ``libraries`` among what it stands for."""
        files = sorted((self.root / "build").glob("*.yaml"))
        return {file.stem: _read_entry(file, file.stem) for file in files}

    def fingerprint(self, names: Iterable[str]) -> str:
        """Digest of the code and libraries behind these modules, classes and functions, by dotted name."""
        return digest_bytes(json.dumps(code_behind(names, self.root), sort_keys=True).encode())

    @contextmanager
    def outputs(self, *names: str) -> Iterator[list[Path]]:
        """Yield an empty staging folder per output; rename all of them into place when the body succeeds.

        Only the first process of a distributed run keeps what it wrote.
        """
        staging = self.work / "staging" / (self.name if is_first_process() else f"{self.name}-{os.getpid()}")
        shutil.rmtree(staging, ignore_errors=True)
        folders = [staging / str(number) for number in range(len(names))]
        for folder in folders:
            folder.mkdir(parents=True)
        try:
            yield folders
            self._check_unmoved()
            if is_first_process():
                for folder, name in zip(folders, names, strict=True):
                    _put_in_place(folder, self.root / name)
        except Exception as error:
            told = explain(error, staging)  # before the room that was lacking is free again
            if told is None:
                raise
            raise told from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def check_current(self) -> None:
        """Refuse to run with code, libraries or files other than those that the key names.

        Raises:
            StageError: a file of the stage's code or config, or a library, differs from build/<stage>.yaml.
        """
        changed = self._differences()
        if changed:
            raise StageError(
                f"the stage is not what build/{self.name}.yaml says it is",
                details=changed[:5],
                fix="make repro (it configures again when code, libraries or files changed)",
            )

    def _check_unmoved(self) -> None:
        changed = self._differences()
        if _read_entry(self._file, self.name) != self._entry:
            changed.insert(0, f"build/{self.name}.yaml was rewritten")
        changed += moved_inputs(self._inputs, fingerprint_inputs(self.root, self.name))
        if changed:
            raise StageError(
                f"the stage {self.name} was edited while it ran; its outputs are thrown away",
                details=changed[:5],
                why="a result must belong to one version of its config, code and inputs",
                fix="dvc repro",
            )

    def _differences(self) -> list[str]:
        config = self._entry["config"]
        current = code_and_libraries(self.name, config, self.root)
        changed = _compare(self._entry.get("code", {}), current["code"], "is now")
        changed += _compare(self._entry.get("files", {}), named_files(self.name, config, self.root), "is now")
        return changed + _compare(self._entry.get("libraries", {}), current["libraries"], "is installed as")


def is_first_process() -> bool:
    """Whether this process is rank 0 of a distributed run, or not distributed at all."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "RANK"))


def run_stage(name: str, body: Callable[[StageRun], None]) -> NoReturn:
    """Run a stage script's body and exit: 0, 2 after a mistake of the user, 1 after a fault of ours.

    The command line may hold Hydra overrides (``python stages/train.py model=mlp trainer.max_epochs=1``); they are
    composed like params.yaml and written to build/ first. Under DVC the configure stage has done that.
    """
    logging.basicConfig(level=os.environ.get("STAGEWISE_LOG_LEVEL", "WARNING").upper(), format="%(message)s")
    root = Path.cwd()
    die_with_parent(root)
    try:
        with stage_lock(root, name):
            if is_first_process() and (sys.argv[1:] or "DVC_STAGE" not in os.environ):
                _configure(root, sys.argv[1:])
            run = StageRun(name, root)
            run.check_current()
            started = time.monotonic()
            body(run)
            if is_first_process():
                history.record(root, name, time.monotonic() - started)
    except Exception as error:
        told = error if isinstance(error, StageError) else explain(error, root / ".stagewise") or error
        if not isinstance(told, StagewiseError):
            raise
        log.debug("%s", name, exc_info=error)
        print(f"{name}: {told}", file=sys.stderr)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        print(f"{name}: interrupted; nothing was recorded", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    sys.exit(0)


@contextmanager
def stage_lock(root: Path, name: str) -> Iterator[None]:
    """Hold the stage for this process.

    Raises:
        StageError: another process runs the stage in this workspace.
    """
    if not is_first_process():
        yield
        return
    with hold(root, name, f"the stage {name}"):
        yield


def _configure(root: Path, overrides: list[str]) -> None:
    """Compose in a process of its own: what composes a config is no part of what a stage computes with.

    Not while the whole pipeline runs: its stages would throw their outputs away.
    """
    with hold_pipeline(root):
        done = subprocess.run([sys.executable, "-m", "stagewise", "configure", *overrides], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _read_entry(path: Path, name: str) -> dict[str, Any]:
    try:
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise StageError(
            f"build/{name}.yaml cannot be read", why=str(error), fix="dvc repro --force configure"
        ) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        raise StageError(f"build/{name}.yaml holds no config", fix="dvc repro --force configure")
    return entry


def _put_in_place(folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    folder.replace(target)


def _compare(recorded: dict[str, str], current: dict[str, str], word: str) -> list[str]:
    names = sorted(recorded.keys() | current.keys())
    return [
        f"{name} {word} {current.get(name, 'absent')} (recorded: {recorded.get(name, 'absent')})"
        for name in names
        if recorded.get(name) != current.get(name)
    ]
