"""The life of a stage's process: it ends when what started it ends, so that no orphan keeps writing."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

HOLDERS = Path(".dvc/tmp/rwlock")
"""Where DVC notes the processes that read and write each path of the pipeline."""

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def die_with_parent(root: Path) -> None:
    """Have the kernel kill this process when its parent dies; exit at once if DVC died before (Linux only).

    A stage takes seconds to import its libraries: whoever started it may be gone when it gets here.
    """
    if sys.platform != "linux":
        return
    import ctypes  # a repro with nothing to do has no use for it

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if "DVC_STAGE" in os.environ and _is_orphan(root):
        sys.exit(128 + signal.SIGKILL)


def _is_orphan(root: Path) -> bool:
    """Whether none of DVC's processes is above this one; between two stages of a later run DVC notes none at all."""
    if holders := _writers(root):
        return holders.isdisjoint(_ancestors())
    try:
        adopted = Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip() == "systemd"
    except OSError:
        adopted = False
    return (root / HOLDERS).is_file() and (adopted or os.getppid() == 1)


def running(root: Path) -> int | None:
    """Return a living process that runs the pipeline of the project at ``root`` under DVC (Linux only)."""
    return next((process for process in sorted(_writers(root)) if _is_pipeline(process)), None)


def _writers(root: Path) -> set[int]:
    """Return the processes that DVC has noted as writers of outputs; they may be dead."""
    try:
        entries = json.loads((root / HOLDERS).read_text(encoding="utf-8"))
        return {int(entry["pid"]) for entry in entries.get("write", {}).values()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return set()


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
