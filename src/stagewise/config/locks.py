"""Locks that end with the process that holds them, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

from stagewise.config.life import running
from stagewise.errors import StageError


@contextmanager
def hold(root: Path, name: str, what: str) -> Iterator[None]:
    """Hold the lock ``name`` of the project at ``root`` for this process.

    Args:
        what: what must not run twice, for the message.

    Raises:
        StageError: another process holds it.
    """
    path = root / ".stagewise" / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise _already_runs(what, file.read().strip()) from error
        file.truncate(0)
        file.write(str(getpid()))
        file.flush()
        yield


@contextmanager
def hold_pipeline(root: Path) -> Iterator[None]:
    """Hold the whole pipeline of the project at ``root`` for this process.

    Raises:
        StageError: another ``stagewise repro``, ``dvc repro`` or the like runs in this workspace.
    """
    with hold(root, "repro", "the pipeline"):
        if (process := running(root)) is not None:
            raise _already_runs("the pipeline", str(process))
        yield


def _already_runs(what: str, process: str) -> StageError:
    return StageError(
        f"{what} already runs in this folder",
        where=f"process {process or 'unknown'}",
        fix="wait for it to end, or stop it",
    )
