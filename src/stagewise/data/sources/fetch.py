"""One published file, from the first place that has it, verified before anyone reads it."""

import importlib.util
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stagewise.config.digests import file_sha256
from stagewise.config.schema.data import File, Limits
from stagewise.data.sources.download import Partial, Patience, download
from stagewise.data.sources.files import copy_file, mismatch, move_file, require_room
from stagewise.data.sources.members import MARK, take_member
from stagewise.data.sources.progress import meter
from stagewise.data.sources.remote import DownloadError, protocol_of
from stagewise.errors import SourceError


def fetch(file: File, target: Path, *, mirrors: list[Path], partial: Path, patience: Patience) -> str:
    """Bring ``file`` to the new path ``target``, and return its SHA-256.

    Args:
        mirrors: paths at which the file may lie already, in order.
        partial: folder in which incomplete downloads are kept.

    Raises:
        SourceError: no place has it, or the bytes are not those declared; ``target`` does not exist then.
    """
    try:
        _fetch(file, target, mirrors, partial, patience)
        return file.sha256 or _unpinned_digest(file, target, partial)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _fetch(file: File, target: Path, mirrors: list[Path], partial: Path, patience: Patience) -> None:
    for path in mirrors:
        if path.is_file():
            return _from_mirror(path, target, file)
    reasons = []
    for url in file.urls:
        try:
            return _from_url(url, file, target, partial, patience)
        except DownloadError as failure:
            reasons.append(f"{url}: {failure}")
    raise SourceError(
        f"{file.name} cannot be fetched" if reasons else f"{file.name} has no URL, and no mirror holds it",
        details=reasons + [f"mirror: there is no file {path}" for path in mirrors],
        fix=f"run the same command again to go on, or put {file.name} into a folder DIR and name it as the mirror: "
        "STAGEWISE_MIRROR=DIR in the environment, or data.mirror=DIR in the config",
    )


def _from_mirror(path: Path, target: Path, file: File) -> None:
    try:
        _take(path, target, file)
    except DownloadError as failure:
        raise SourceError(
            f"{file.name} in the mirror is not the file that the config declares",
            where=str(path),
            why=str(failure),
            fix="remove or replace that file, or correct bytes and sha256 in conf/data/",
        ) from failure


def _from_url(url: str, file: File, target: Path, partial: Path, patience: Patience) -> None:
    if MARK in url:
        return _from_archive(url, file, target, partial, patience)
    if (path := _local_path(url)) is not None:
        if not path.is_file():
            raise DownloadError("there is no such file", retry=False)
        return _take(path, target, file)
    part = Partial(partial, file.sha256, url)
    with meter(file.name, file.bytes) as progress:
        download(url, part, file, patience, progress)
    move_file(part.path, target)
    return part.drop()


def _from_archive(url: str, file: File, target: Path, partial: Path, patience: Patience) -> None:
    """Take ``file`` out of the archive at ``url``, whose own digest is not known: what counts is that of the member."""
    url, _, member = url.partition(MARK)
    part = Partial(partial, None, url)
    archive = _local_path(url)
    if archive is None:
        archive = part.path
        whole = file.model_copy(update={"bytes": None, "sha256": None})
        with meter(file.name, None) as progress:
            download(url, part, whole, patience, progress)
    elif not archive.is_file():
        raise DownloadError("there is no such file", retry=False)
    try:
        take_member(archive, unquote(member), target, Limits())
        if wrong := mismatch(target, file):
            target.unlink()
            raise DownloadError(wrong, retry=False)
    finally:
        part.drop()


def _take(source: Path, target: Path, file: File) -> None:
    """Copy a file of this machine, and verify the copy."""
    require_room(target.parent, source.stat().st_size, file.name)
    copy_file(source, target)
    if wrong := mismatch(target, file):
        target.unlink()
        raise DownloadError(wrong, retry=False)


def _local_path(url: str) -> Path | None:
    """Where a ``package://`` resource, a ``file://`` URL or a plain path lies; None for what is remote."""
    protocol = protocol_of(url)
    if protocol == "package":
        return package_resource(url)
    if protocol == "file":
        return Path(unquote(urlsplit(url).path))
    return None if protocol else Path(url)


def package_resource(url: str) -> Path:
    """The file of an installed package that ``package://module/path`` names, found without importing the package.

    Raises:
        DownloadError: the package is not installed or has no such file.
    """
    module, _, name = url.partition("://")[2].partition("/")
    if not module.isidentifier() or ".." in name.split("/"):
        raise DownloadError("write package://module/path", retry=False)
    spec = importlib.util.find_spec(module)  # a top-level name: nothing is imported
    if spec is None:
        raise DownloadError(f"the package {module} is not installed", retry=False)
    for folder in spec.submodule_search_locations or []:
        if (path := Path(folder, name)).is_file():
            return path
    raise DownloadError(f"the package {module} has no file {name}", retry=False)


def _unpinned_digest(file: File, path: Path, partial: Path) -> str:
    """The digest of a local file; a file from elsewhere is refused, with the digest to declare."""
    digest = file_sha256(path)
    if all(protocol_of(url) in {"", "file"} for url in file.urls):
        return digest
    partial.mkdir(parents=True, exist_ok=True)
    move_file(path, partial / digest)
    raise SourceError(
        f"{file.name} has no sha256 in the config",
        where="data.source.files",
        why="what comes from elsewhere may change; only a declared digest makes a run repeatable",
        fix=f"if you trust the file, add to its entry in conf/data/: sha256: {digest}  and  "
        f"bytes: {(partial / digest).stat().st_size}; it is kept, and will not be downloaded again",
    )
