"""What the machine refuses, told in one message: a full disk, a folder that is gone or read-only, too little memory."""

import errno
import re
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from stagewise.errors import StageError, StagewiseError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
# Libraries that write with C++ or Rust say it in words only; "(os error 28)" is how Rust ends its messages.
_WORDS = {
    errno.ENOSPC: ("No space left on device", "(os error 28)", "database or disk is full"),
    errno.EROFS: ("Read-only file system", "(os error 30)", "attempt to write a readonly database"),
    errno.EACCES: ("Permission denied", "(os error 13)"),
    errno.ENOMEM: (
        "can't allocate memory",
        "Cannot allocate memory",
        "std::bad_alloc",
        "bad allocation",
        "MemoryError",
    ),
}
# torch.save and onnxruntime say that writing failed, and not why.
_CUT_OFF = ("inline_container", "serialization failed")
_NEARLY_FULL = 1 << 20
_WORKER = "DataLoader worker (pid"  # it was killed; one that raised an error says "Caught ..."
_HANDED_ON = "multiprocessing/resource_sharer.py"
_AGAIN = "then run the same command again"


def explain(error: BaseException, folder: Path, own: type[Exception] = StagewiseError) -> StageError | None:
    """Return what to tell the user about ``error``; None where it is no refusal of the machine.

    To be called before anything is cleaned up, so that it sees how much room was left.

    Args:
        folder: where files were being written.
        own: errors that say themselves what is missing; they may still mistake why writing failed.
    """
    told = isinstance(error, own)
    for link in _causes(error):
        number, place, text = _number(link), _place(link), str(link)
        if number in _FULL or (any(word in text for word in _CUT_OFF) and _free(folder) < _NEARLY_FULL):
            return _full(place, folder, text)
        if isinstance(link, MemoryError) or number == errno.ENOMEM or _WORKER in text:
            return _memory(link)
        if _broke_off(link):
            return _memory(RuntimeError(f"{_WORKER} unknown) broke off while it handed rows on"))
        if number == errno.EROFS or (number in _CLOSED and not told):
            return _closed(place or folder, number)
        if number in _GONE and not told:
            return _gone(place or folder)
        if number == errno.EXDEV and not told:
            return _two_disks(place or folder)
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _broke_off(error: BaseException) -> bool:
    """Whether a loader process died just then, when its memory was being taken over: torch sees a broken connection."""
    frames = traceback.walk_tb(error.__traceback__)
    return isinstance(error, (EOFError, OSError)) and any(
        frame.f_code.co_filename.endswith(_HANDED_ON) for frame, _ in frames
    )


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    return next((number for number, words in _WORDS.items() if any(word in str(error) for word in words)), None)


def _place(error: BaseException) -> Path | None:
    """Return the path that the error names: as its file name, or in the words of pyarrow and safetensors."""
    name = getattr(error, "filename", None)
    if _number(error) not in _GONE:  # a copy or a rename names its target second
        name = getattr(error, "filename2", None) or name
    if not isinstance(name, str):
        match = re.search(r"""(?:file|path) ["'](.+?)["']""", str(error))
        name = match[1] if match else None
    if name is None:
        return None
    try:
        return Path(name).relative_to(Path.cwd())
    except (ValueError, OSError):  # it lies elsewhere, is relative already, or the current folder is gone
        return Path(name)


def _full(place: Path | None, folder: Path, text: str) -> StageError:
    # What does not name its file may be a temporary file, or the shared memory in which loader processes hand rows on.
    shared = [Path("/dev/shm")] if "torch_" in text else []
    places = [place] if place else [folder, Path(tempfile.gettempdir()), *shared]
    where = min((_existing(path) for path in places), key=_free)
    return StageError(
        "the disk is full",
        where=str(where),
        why=f"{_free(where):,} bytes are free there; what was half written has been removed",
        fix=f"free some space, {_AGAIN}",
    )


def _closed(place: Path, number: int | None) -> StageError:
    return StageError(
        "a file or folder may not be written or read",
        where=str(place),
        why="the disk is mounted read-only" if number == errno.EROFS else "permission denied",
        fix=f"give the folder back its rights (chmod -R u+rwX, or mount it writable), {_AGAIN}",
    )


def _gone(place: Path) -> StageError:
    return StageError(
        f"{place} is not there",
        why="it was removed while the stage ran, or the stage that writes it has not run",
        fix="dvc repro (it runs what is missing)",
    )


def _two_disks(place: Path) -> StageError:
    return StageError(
        "an output and .stagewise/ lie on different disks",
        where=str(place),
        why="outputs are renamed into place, so that they are whole or absent",
        fix=f"keep .stagewise/ on the disk of the outputs (a symbolic link will do), {_AGAIN}",
    )


def _memory(error: BaseException) -> StageError:
    worker = _WORKER in str(error)
    return StageError(
        "a process that loads data was killed" if worker else "the memory does not suffice",
        why=(str(error).strip().splitlines() or [type(error).__name__])[-1],
        fix="close other programs, or lower trainer.batch_size or trainer.workers in params.yaml, " + _AGAIN,
    )


def _free(path: Path) -> int:
    try:
        return shutil.disk_usage(_existing(path)).free
    except OSError:
        return 0


def _existing(path: Path) -> Path:
    return next((parent for parent in (path, *path.parents) if parent.is_dir()), Path())
