"""Objects of DVC's cache, looked at one by one: is each there, and does it still hold what its name says?

DVC takes a read-only file in its cache for whole (https://github.com/iterative/dvc/issues/5978); a flipped bit would
be restored, recorded and shipped. An object is named by its MD5; a folder is an object that lists its files.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stagewise.errors import ConfigError


@dataclass(frozen=True)
class LockedOut:
    """An output as dvc.lock names it."""

    path: str
    md5: str
    """Ends in ``.dir`` for a folder."""


@dataclass(frozen=True)
class Damaged:
    """An object that is not whole."""

    path: str
    """Of the output, or of the file inside it, relative to the project."""
    object: Path
    why: str


def cache_folder(root: Path) -> Path:
    """Return where the project at ``root`` keeps objects by their MD5; nothing there is looked at.

    Raises:
        ConfigError: DVC cannot read the project.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            return Path(repo.cache.local.path)
    except DvcException as error:
        raise ConfigError("DVC cannot read the project", where=str(root), why=str(error).strip()) from error


def object_path(cache: Path, md5: str) -> Path:
    """Return where the object ``md5`` lies in ``cache``, the folder ``files/md5`` of a DVC cache."""
    return cache / md5[:2] / md5[2:]


def missing_objects(cache: Path, out: LockedOut) -> list[Damaged]:
    """Return what the cache lacks of an output; nothing is hashed."""
    return [Damaged(path, file, "it is not there") for path, file, _ in objects(cache, out) if not file.is_file()]


def damaged_objects(cache: Path, out: LockedOut, whole: set[Path] | None = None) -> list[Damaged]:
    """Return the objects of an output whose content is not what their name says; those that are missing are not.

    Args:
        whole: objects that need not be hashed; those that are found to be whole are added.
    """
    whole = set() if whole is None else whole
    found = []
    for path, file, md5 in objects(cache, out):
        actual = None if file in whole else _md5(file)
        if actual == md5.removesuffix(".dir"):
            whole.add(file)
        elif actual is not None:
            found.append(Damaged(path, file, f"its MD5 is {actual}"))
    return found


def set_aside(damaged: Damaged) -> Path:
    """Rename a damaged object, so that nothing takes it for the real one; return the new path."""
    aside = damaged.object.with_name(f"{damaged.object.name}.damaged")
    damaged.object.replace(aside)
    return aside


def objects(cache: Path, out: LockedOut) -> Iterator[tuple[str, Path, str]]:
    """Yield path, object and MD5 of an output, then of its files if it is a folder whose list can be read."""
    file = object_path(cache, out.md5)
    yield out.path, file, out.md5
    if out.md5.endswith(".dir"):
        for entry in _listed(file):
            yield f"{out.path}/{entry['relpath']}", object_path(cache, entry["md5"]), entry["md5"]


def _listed(folder: Path) -> list[dict[str, str]]:
    try:
        entries = json.loads(folder.read_text(encoding="utf-8"))
        return [entry for entry in entries if isinstance(entry["md5"], str) and isinstance(entry["relpath"], str)]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _md5(file: Path) -> str | None:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return None
