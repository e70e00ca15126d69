"""One member of a published archive, where the file that is wanted lies inside a larger download."""

import tempfile
from pathlib import Path, PurePosixPath

from stagewise.config.schema.data import Limits
from stagewise.data.sources.archives import extract
from stagewise.data.sources.files import move_file
from stagewise.data.sources.remote import DownloadError
from stagewise.errors import ArchiveError

MARK = "#member="
"""Between the URL of an archive and the name of a member."""

_BEGINNINGS = {b"PK": ".zip", b"\x1f\x8b": ".tar.gz", b"BZh": ".tar.bz2", b"\xfd7zXZ": ".tar.xz"}


def take_member(archive: Path, member: str, target: Path, limits: Limits) -> None:
    """Write the file ``member`` of a zip or tar archive, whatever its name, to the new path ``target``.

    The whole archive is unpacked beside ``target`` for a moment, with all the precautions of ``archives.extract``.

    Raises:
        DownloadError: the archive must not be unpacked, or has no such file.
    """
    with tempfile.TemporaryDirectory(prefix=".member-", dir=target.parent) as folder:
        named = Path(folder, f"archive{_ending(archive)}")
        named.symlink_to(archive.resolve())
        unpacked = Path(folder, "unpacked")
        try:
            extract(named, unpacked, limits)
        except ArchiveError as error:
            why = error.why or error.what
            raise DownloadError(f"it is no archive that can be unpacked: {why}", retry=False) from error
        parts = PurePosixPath(member).parts
        found = unpacked.joinpath(*parts)
        if ".." in parts or member.startswith("/") or not found.is_file():
            raise DownloadError(f"the archive has no file {member}", retry=False)
        move_file(found, target)


def _ending(archive: Path) -> str:
    with archive.open("rb") as file:
        begin = file.read(8)
    return next((ending for magic, ending in _BEGINNINGS.items() if begin.startswith(magic)), ".tar")
