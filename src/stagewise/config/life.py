"""The life of a stage's process: it ends when what started it ends, so that no orphan keeps writing."""

import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

HOLDERS = Path(".dvc/tmp/rwlock")
"""Where DVC notes the processes that read and write each path of the pipeline."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def die_with_parent(root: Path) -> None:
    """Have this process killed when its parent dies, or the DVC that runs the stage; exit at once if that is dead.

    A stage takes seconds to import its libraries: whoever started it may be gone when it gets here. Linux only.
    """
    if sys.platform != "linux":
        return
    import ctypes  # a repro with nothing to do has no use for it

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if not _started_by_dvc(root) or (writers := _writers(root)) is None:
        return
    runner = next((process for process in _ancestors() if process in writers), None)
    if runner is None or (runner != os.getppid() and not _die_with(runner)):
        sys.exit(128 + signal.SIGKILL)


def _started_by_dvc(root: Path) -> bool:
    """Whether DVC runs this process for the project at ``root``: it names the stage and the project."""
    names = os.environ.get("DVC_STAGE"), os.environ.get("DVC_ROOT")
    return all(names) and Path(str(names[1])).resolve() == root.resolve()


def _die_with(process: int) -> bool:
    """Kill this process when the ancestor ``process`` dies; false if it has died already.

    The kernel tells a process of its parent's death only, and a shell may stand between DVC and its stage: dash
    does not give its place to the command, bash does.
    """
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return False
    except OSError:  # a kernel before 5.3, or a sandbox without the call
        return True

    def wait() -> None:
        select.select([handle], [], [])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True, name="die with DVC").start()
    return process in _ancestors()  # else another process had its number by then


def running(root: Path) -> int | None:
    """Return a living process that runs the pipeline of the project at ``root`` under DVC (Linux only)."""
    return next((process for process in sorted(_writers(root) or ()) if _is_pipeline(process)), None)


def _writers(root: Path) -> set[int] | None:
    """Return the processes that DVC has noted as writers of outputs; they may be dead. None: it has no notes."""
    for _ in range(20):
        try:
            entries = json.loads((root / HOLDERS).read_text(encoding="utf-8"))
            return {int(entry["pid"]) for entry in entries.get("write", {}).values()}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # DVC writes it in place
            time.sleep(0.01)
    return None


def _is_pipeline(process: int) -> bool:
    """Whether a process lives and is not another one that has got the number of a dead one."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return process != os.getpid() and (b"dvc" in words or b"stagewise" in words)


def _ancestors() -> Iterator[int]:
    process = os.getppid()
    while process > 0:
        yield process
        try:
            status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
        except OSError:
            return
        process = int(status.rpartition(")")[2].split()[1])
