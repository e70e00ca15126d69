"""A folder of class folders with a text in each file."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from stagewise.data.readers.delimited import check_encoding
from stagewise.data.readers.files import locate, split_of, visible
from stagewise.data.sample import Sample
from stagewise.errors import DataError

_ORDER = ("train", "validation", "test")


class TextFolderReader:
    """Text files whose class is the name of the folder they lie in, however deep below it.

    Folders that wrap everything are looked through, so ``path`` is only needed where several data sets lie side by
    side. A file beside the class folders has no label; one that is not of the encoding is a sample with an error.

    Args:
        path: the folder below data/raw/ that holds the class (or split) folders.
        splits: whether the top folders are ``train``, ``val`` / ``validation`` and ``test``, with the class folders
            below them; ``auto``: when they have just such names.
        ending: of the files that are read; others are passed over.
        encoding: of the files; a byte order mark is passed over.
        root: data/raw/.
    """

    def __init__(
        self,
        path: str = ".",
        splits: bool | Literal["auto"] = "auto",
        ending: str = ".txt",
        encoding: str = "utf-8",
        *,
        root: Path,
    ) -> None:
        if splits not in (True, False, "auto"):
            raise DataError(f"{splits!r} is not true, false or auto", where="data.reader.splits")
        check_encoding(encoding)
        self._path = path
        self._splits = splits
        self._ending = ending.lower()
        self._encoding = encoding
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the texts by split, class and file name.

        Raises:
            DataError: the folder is missing or holds no such file.
        """
        base = self._unwrap(locate(self._root, self._path))
        found = False
        for split, folder in self._parts(base):
            for sample in self._read(split, folder):
                found = True
                yield sample
        if not found:
            raise DataError(
                f"there is no text below {base.as_posix()}",
                where="data.reader.path",
                why=f"files ending in {self._ending} are read",
                fix="put each class's texts into a folder named after the class, or set data.reader.ending",
            )

    def _unwrap(self, folder: Path) -> Path:
        """Go down while there is nothing but one folder, which has folders itself."""
        if not folder.is_dir():
            raise DataError(f"{self._path} is no folder", where="data.reader.path")
        while True:
            inner = _folders(folder)
            texts = any(self._is_text(path) for path in visible(folder))
            if texts or len(inner) != 1 or split_of(inner[0].name) or not _folders(inner[0]):
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

    def _read(self, split: str | None, folder: Path) -> Iterator[Sample]:
        for path in visible(folder):
            if path.is_dir():
                for file in self._below(path):
                    yield self._sample(file, path.name, split)
            elif self._is_text(path):
                yield self._sample(path, None, split)

    def _below(self, folder: Path) -> Iterator[Path]:
        """Text files in a folder and the folders in it, each folder's by name."""
        for top, names, files in os.walk(folder):
            names[:] = sorted(name for name in names if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith(".") and self._is_text(path := Path(top, name)):
                    yield path

    def _sample(self, path: Path, label: str | None, split: str | None) -> Sample:
        name = path.relative_to(self._root).as_posix()
        try:
            text = path.read_bytes().decode(self._encoding).removeprefix("\ufeff")
        except (OSError, UnicodeError) as error:
            return Sample(id=name, value=None, label=label, split=split, error=str(error))
        return Sample(id=name, value=text, label=label, split=split)

    def _is_text(self, path: Path) -> bool:
        return path.name.lower().endswith(self._ending) and path.is_file()


def _folders(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if path.is_dir()]
