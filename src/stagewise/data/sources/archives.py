"""Unpacking zip and tar archives that nobody vouches for.

Only regular files are written, under names that stay inside the target on every file system, and
the caps count bytes as they are written: headers are not believed.
"""

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from stagewise.config.schema.data import Limits
from stagewise.data.sources.files import CHUNK, is_clutter, require_room
from stagewise.errors import ArchiveError

_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".tar": lambda path: path.open("rb"),
    ".tar.gz": gzip.open,
    ".tgz": gzip.open,
    ".tar.bz2": bz2.open,
    ".tbz2": bz2.open,
    ".tar.xz": lzma.open,
    ".txz": lzma.open,
}
SUFFIXES = (".zip", *_OPENERS)
"""Endings of the names of archives that can be unpacked."""
RATIO_FROM = 10_000_000
"""Bytes written from which on the cap on the ratio counts: below, a high ratio does no harm."""
_HEADERS = 16_000_000  # most bytes between two members of a tar: a pax header is read into memory
_LONGEST_NAME = 255
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)
_KINDS = (
    (tarfile.TarInfo.issym, "a symbolic link"),
    (tarfile.TarInfo.islnk, "a hard link"),
    (tarfile.TarInfo.isdev, "a device or pipe"),
)


@dataclass(frozen=True)
class Extracted:
    """What was unpacked."""

    files: int
    bytes: int


def archive_stem(name: str) -> str | None:
    """``flowers`` of ``flowers.tar.gz``; None when the name is not that of an archive."""
    suffix = _suffix(name)
    return name[: -len(suffix)] if suffix and len(name) > len(suffix) else None


def extract(archive: Path, target: Path, limits: Limits) -> Extracted:
    """Unpack ``archive`` into the new folder ``target``; hidden and desktop files are left out.

    Raises:
        ArchiveError: it is damaged, or a member must not be unpacked; ``target`` does not exist then.
    """
    target.mkdir()
    try:
        writer = _Writer(archive, target, limits)
        unpack = _extract_zip if _suffix(archive.name) == ".zip" else _extract_tar
        try:
            unpack(archive, writer)
        except RecursionError as error:
            raise ArchiveError(f"{archive.name} chains its headers without end", where=str(archive)) from error
        except _DAMAGE as error:
            reason = str(error) or type(error).__name__
            fix = "get the archive again, or pack it again"
            raise ArchiveError(f"{archive.name} cannot be unpacked", where=str(archive), why=reason, fix=fix) from error
        if not writer.files:
            raise ArchiveError(f"{archive.name} holds no files", where=str(archive))
    except BaseException:
        shutil.rmtree(target)
        raise
    return Extracted(writer.files, writer.bytes)


def _suffix(name: str) -> str | None:
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


class _Writer:
    """Writes members below a folder, refusing whatever could do harm."""

    def __init__(self, archive: Path, target: Path, limits: Limits) -> None:
        self._archive = archive
        self._target = target
        self._limits = limits
        self._most = max(RATIO_FROM, int(limits.ratio * archive.stat().st_size))
        self._members = 0
        self._unpacked = 0
        self._spelling: dict[str, str] = {}  # each path as a case-insensitive disk sees it -> as written
        self._written: set[str] = set()
        self.files = 0
        self.bytes = 0

    def refuse(self, member: str, why: str) -> NoReturn:
        """Raise the ArchiveError about one member."""
        raise ArchiveError(
            f"{self._archive.name}: the member {member[:200]!r} must not be unpacked",
            where=str(self._archive),
            why=why,
            fix="use an archive of plain files from a source that you trust; caps are set in data.source.limits",
        )

    def require_room(self, declared: int) -> None:
        """Fail early when the disk is too small for what the headers declare."""
        require_room(self._target, min(declared, self._limits.bytes), self._archive.name)

    def admit(self, member: str) -> None:
        """Count a member, and refuse it for its name."""
        self._members += 1
        if self._members > self._limits.files:
            self.refuse(member, f"the archive has more than {self._limits.files:,} members")
        if why := _bad_name(member):
            self.refuse(member, why)

    def write(self, member: str, source: IO[bytes], declared: int) -> None:
        """Write an admitted member that is a regular file."""
        parts = [part for part in member.split("/") if part not in {"", "."}]
        if any(is_clutter(part) for part in parts):
            self._copy(member, source, Path(os.devnull))  # a tar is read in order, and what is left out counts too
            return
        self._claim(member, parts)
        path = self._target.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        written = self._copy(member, source, path)
        if written != declared:
            self.refuse(member, f"its header declares {declared:,} bytes, it has {written:,}")
        self.files += 1
        self.bytes += written

    def _claim(self, member: str, parts: list[str]) -> None:
        """Refuse a path that another member has, on disks that tell upper from lower case or not."""
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            first = self._spelling.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
            if first != path:
                self.refuse(member, f"its name differs from {first!r} only by case or accents")
            if path in self._written:
                self.refuse(member, "it occurs twice" if depth == len(parts) else f"{path!r} is a file, not a folder")
        if self._target.joinpath(*parts).exists():
            self.refuse(member, "it is a folder and a file")
        self._written.add("/".join(parts))

    def _copy(self, member: str, source: IO[bytes], path: Path) -> int:
        written = 0
        with path.open("wb") as target:
            while chunk := source.read(CHUNK):
                written += len(chunk)
                self._unpacked += len(chunk)
                if self._unpacked > self._limits.bytes:
                    self.refuse(member, f"the archive unpacks to more than {self._limits.bytes:,} bytes")
                if self._unpacked > self._most:
                    self.refuse(member, f"the archive unpacks to more than {self._limits.ratio:g} times its size")
                target.write(chunk)
        return written


def _bad_name(name: str) -> str | None:
    """Why a name must not be written; None when it may."""
    try:
        parts = name.encode().split(b"/")
    except UnicodeEncodeError:
        return "its name is not valid Unicode"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "its path is absolute"
    if b".." in parts:
        return "its path leads out of the archive"
    if "\\" in name or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return "its name has a backslash or a control character"
    if any(len(part) > _LONGEST_NAME for part in parts):
        return f"its name has a part longer than {_LONGEST_NAME} bytes"
    return None


def _extract_zip(archive: Path, writer: _Writer) -> None:
    with zipfile.ZipFile(archive) as file:
        writer.require_room(sum(info.file_size for info in file.infolist()))
        for info in file.infolist():
            name = info.orig_filename  # zipfile cuts its own name at a NUL
            writer.admit(name)
            if why := _bad_zip_kind(info):
                writer.refuse(name, why)
            if not info.is_dir():
                with file.open(info) as source:
                    writer.write(name, source, info.file_size)


def _bad_zip_kind(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "it is a symbolic link"
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "it is a device or pipe"
    return "it is encrypted" if info.flag_bits & 1 else None


def _extract_tar(archive: Path, writer: _Writer) -> None:
    writer.require_room(archive.stat().st_size)
    suffix = _suffix(archive.name) or ".tar"
    with _OPENERS[suffix](archive) as raw:
        guard = _HeaderGuard(raw, archive)
        with tarfile.open(fileobj=guard, mode="r|", tarinfo=_Member) as file:  # type: ignore[call-overload]
            while True:
                guard.limit(_HEADERS)
                member = file.next()
                if member is None:
                    return
                guard.limit(None)
                _extract_member(file, member, writer)
                file.members.clear()  # else it keeps every header in memory


def _extract_member(file: tarfile.TarFile, member: tarfile.TarInfo, writer: _Writer) -> None:
    writer.admit(member.name)
    for is_kind, kind in _KINDS:
        if is_kind(member):
            writer.refuse(member.name, f"it is {kind}")
    if member.isdir():
        return
    source = file.extractfile(member) if member.isreg() and member.size >= 0 else None
    if source is None:
        writer.refuse(member.name, "it is not a regular file")
    with source:
        writer.write(member.name, source, member.size)


class _Member(tarfile.TarInfo):
    """A header whose damage is an error: tarfile alone takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "_Member":
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header is damaged or cut off ({error})") from error


class _HeaderGuard:
    """Reads an unpacked tar, and refuses headers that would fill the memory."""

    def __init__(self, raw: Any, archive: Path) -> None:
        self._raw = raw
        self._archive = archive
        self._left: int | None = _HEADERS

    def limit(self, count: int | None) -> None:
        """Let so many more bytes be read."""
        self._left = count

    def read(self, size: int) -> bytes:
        data: bytes = self._raw.read(size)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise ArchiveError(f"{self._archive.name} has a header of more than {_HEADERS:,} bytes")
        return data
