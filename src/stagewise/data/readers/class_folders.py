"""Files in folders that are named after classes: which file is of which class, and of which split."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from stagewise.data.readers.files import locate, split_of, visible
from stagewise.errors import DataError

_ORDER = ("train", "validation", "test")


class ClassFile(NamedTuple):
    """A file, the class folder it lies in (None: beside the class folders), and its split where there are such."""

    path: Path
    label: str | None
    split: str | None


class ClassFolders:
    """The wanted files below a folder of class folders, however deep in these.

    Folders that wrap everything are looked through.

    Args:
        root: data/raw/.
        path: the folder below ``root`` that holds the class (or split) folders.
        splits: whether the top folders are splits, with the class folders below them; ``auto``: when they have just
            such names.
        wanted: whether a path is a file to read; others are passed over.

    Raises:
        DataError: ``splits`` is none of these.
    """

    def __init__(self, root: Path, path: str, splits: bool | Literal["auto"], wanted: Callable[[Path], bool]) -> None:
        if splits not in (True, False, "auto"):
            raise DataError(f"{splits!r} is not true, false or auto", where="data.reader.splits")
        self._root, self._path, self._splits, self._wanted = Path(root), path, splits, wanted

    def files(self, *, what: str, why: str, fix: str) -> Iterator[ClassFile]:
        """Yield the files by split, class and name.

        Args:
            what, why, fix: what is missing where there is none, which files are looked for, and what to do.

        Raises:
            DataError: the folder is missing or holds no such file, or its folders are no splits.
        """
        base = self._unwrap(locate(self._root, self._path))
        found = False
        for split, folder in self._parts(base):
            for path, label in self._labelled(folder):
                found = True
                yield ClassFile(path, label, split)
        if not found:
            raise DataError(f"there is no {what} below {base.as_posix()}", where="data.reader.path", why=why, fix=fix)

    def _unwrap(self, folder: Path) -> Path:
        """Go down while there is nothing but one folder, which has folders itself."""
        if not folder.is_dir():
            raise DataError(f"{self._path} is no folder", where="data.reader.path")
        while True:
            inner = _folders(folder)
            files = any(self._wanted(path) for path in visible(folder))
            if files or len(inner) != 1 or split_of(inner[0].name) or not _folders(inner[0]):
                return folder
            folder = inner[0]

    def _parts(self, base: Path) -> list[tuple[str | None, Path]]:
        """The folders that hold class folders, with their splits, in the order of these."""
        folders = _folders(base)
        splits = [(split, folder) for folder in folders if (split := split_of(folder.name))]
        published = bool(folders) and len(splits) == len(folders) and any(_folders(folder) for folder in folders)
        if self._splits is False or (self._splits == "auto" and not published):
            return [(None, base)]
        if not published:
            raise DataError(
                f"the folders in {base.as_posix()} are no splits",
                where="data.reader.splits",
                details=[folder.name for folder in folders][:5],
                fix="name them train, validation and test, or set data.reader.splits=false",
            )
        return sorted(splits, key=lambda part: (_ORDER.index(part[0]), part[1]))

    def _labelled(self, folder: Path) -> Iterator[tuple[Path, str | None]]:
        for path in visible(folder):
            if path.is_dir():
                yield from ((file, path.name) for file in self._below(path))
            elif self._wanted(path):
                yield path, None

    def _below(self, folder: Path) -> Iterator[Path]:
        """Wanted files in a folder and the folders in it, each folder's by name."""
        for top, names, files in os.walk(folder):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith(".") and self._wanted(path := Path(top, name)):
                    yield path


def _folders(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if path.is_dir()]
