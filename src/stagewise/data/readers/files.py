"""Finding the files of a dataset under data/raw/, whatever folder they were published in."""

import posixpath
from collections.abc import Iterable
from pathlib import Path

from stagewise.errors import DataError

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_EXAMPLES = 5


def split_of(name: str) -> str | None:
    """``train``, ``validation`` or ``test`` for a folder or column value that names a split; None for any other."""
    return _SPLITS.get(name.strip().lower())


def split_key(name: str) -> str | None:
    """The split that a key of a reader's config names; None for ``all``: data without published splits.

    Raises:
        DataError: the key names neither.
    """
    split = split_of(name)
    if split is None and name != "all":
        raise DataError(f"{name!r} is no split", where="data.reader", fix="name train, validation, test, or all")
    return split


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, by name; hidden entries and the record of ingest left out."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "ingest.json")


def inside(folder: Path, name: str, root: Path) -> Path | None:
    """``folder/name``, or None when that would lie outside ``root``.

    Decided on the names alone: files under data/raw/ may be links into DVC's cache.
    """
    relative = posixpath.normpath(posixpath.join(folder.relative_to(root).as_posix(), name.replace("\\", "/")))
    if relative == ".." or relative.startswith(("../", "/")):
        return None
    return root / relative


def locate(root: Path, name: str) -> Path:
    """The file or folder ``name`` in ``root``, or in the one folder that wraps everything.

    Raises:
        DataError: there is none, or the name leads out of ``root``.
    """
    folder: Path | None = root
    while folder is not None:
        path = inside(folder, name, root)
        if path is None:
            raise DataError(
                f"{name} lies outside of {root.name}", where="data.reader", fix="name a file below data/raw/"
            )
        if path.exists():
            return path
        folder = _only_folder(folder)
    raise DataError(
        f"there is no {name} in {root.as_posix()}",
        where="data.reader",
        details=_listing(root),
        fix="correct the name in conf/data/, or what data.source brings",
    )


def find_one(root: Path, suffixes: Iterable[str], key: str) -> Path:
    """The only file with one of these endings in ``root``, or in the one folder that wraps everything.

    Args:
        key: the argument of the reader that names the file, for the message.

    Raises:
        DataError: there is none, or more than one.
    """
    endings = tuple(suffixes)
    folder: Path | None = root
    while folder is not None and folder.is_dir():
        found = [path for path in visible(folder) if path.is_file() and path.name.lower().endswith(endings)]
        if len(found) == 1:
            return found[0]
        if found:
            names = [path.relative_to(root).as_posix() for path in found]
            raise DataError(
                f"there are {len(found)} files ending in {' or '.join(endings)}",
                where=f"data.reader.{key}",
                details=names[:_EXAMPLES],
                fix=f"say which with data.reader.{key}={names[0]}",
            )
        folder = _only_folder(folder)
    raise DataError(
        f"there is no file ending in {' or '.join(endings)} in {root.as_posix()}",
        where="data.reader",
        details=_listing(root),
        fix=f"name the file with data.reader.{key}, or correct data.source",
    )


def _only_folder(folder: Path) -> Path | None:
    """The single folder in ``folder``, if there is just one."""
    folders = [path for path in visible(folder) if path.is_dir()]
    return folders[0] if len(folders) == 1 else None


def _listing(root: Path) -> list[str]:
    """The first few names under ``root``."""
    if not root.is_dir():
        return [f"{root.as_posix()} does not exist: run dvc repro"]
    found = visible(root)
    for folder in found:
        if folder.is_dir() and len(found) == 1:
            found = [folder, *visible(folder)]
    names = [path.relative_to(root).as_posix() + ("/" if path.is_dir() else "") for path in found]
    more = [f"and {len(names) - _EXAMPLES} more"] if len(names) > _EXAMPLES else []
    return [f"it holds {name}" for name in names[:_EXAMPLES]] + more
