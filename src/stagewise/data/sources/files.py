"""What every way of getting a file shares: digests, copies, and room on the disk."""

import contextlib
import shutil
from pathlib import Path

from stagewise.config.digests import file_sha256
from stagewise.config.schema.data import File
from stagewise.errors import SourceError

try:
    import fcntl
except ImportError:  # no reflinks outside of Unix
    fcntl = None  # type: ignore[assignment]

CHUNK = 1 << 20
"""Bytes per read."""
_FICLONE = 0x40049409
_CLUTTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def mismatch(path: Path, file: File) -> str | None:
    """Why ``path`` is not the file as published (naming both sizes or digests); None when it is."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"it has {size:,} bytes, {file.bytes:,} are declared"
    if file.sha256 is not None and (actual := file_sha256(path)) != file.sha256:
        return f"its sha256 is {actual}, {file.sha256} is declared"
    return None


def copy_file(source: Path, target: Path) -> None:
    """Copy the content of ``source`` to the new file ``target``, sharing blocks where the disk can."""
    with source.open("rb") as reader, target.open("xb") as writer:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
                return
        shutil.copyfileobj(reader, writer, CHUNK)


def move_file(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``, or copy and remove it when they are on different disks."""
    try:
        source.replace(target)
    except OSError:
        copy_file(source, target)
        source.unlink()


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raise SourceError unless the disk of ``folder`` has ``needed`` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SourceError(
            f"{what} needs {needed:,} bytes, but the disk has only {free:,} free",
            where=str(folder),
            fix="free some space, then run the same command again",
        )


def is_clutter(name: str) -> bool:
    """Whether a file or folder name is hidden or left by a desktop (``.DS_Store``, ``__MACOSX``, ``Thumbs.db``)."""
    return name.startswith(".") or name.lower() in _CLUTTER
