"""A folder of class folders with image files in them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from stagewise.data.readers.files import locate, split_of, visible
from stagewise.data.sample import Sample
from stagewise.errors import DataError
from stagewise.runtime.image import decode

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff"})
"""Endings of the files that are read; others are passed over."""


class ImageFolderReader:
    """Image files whose class is the name of the folder they lie in, however deep below it.

    Folders that wrap everything are looked through, so ``path`` is only needed where several data sets lie
    side by side. An image beside the class folders has no label.

    Args:
        path: the folder below data/raw/ that holds the class (or split) folders.
        splits: whether the top folders are ``train``, ``val`` / ``validation`` and ``test``, with the class
            folders below them; ``auto``: when they have just such names.
        root: data/raw/.
    """

    def __init__(self, path: str = ".", splits: bool | Literal["auto"] = "auto", *, root: Path) -> None:
        if splits not in (True, False, "auto"):
            raise DataError(f"{splits!r} is not true, false or auto", where="data.reader.splits")
        self._path = path
        self._splits = splits
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the images by split, class and file name.

        Raises:
            DataError: the folder is missing or holds no image.
        """
        base = self._unwrap(locate(self._root, self._path))
        found = False
        for split, folder in self._parts(base):
            for sample in self._read(split, folder):
                found = True
                yield sample
        if not found:
            raise DataError(
                f"there is no image below {base.as_posix()}",
                where="data.reader.path",
                why=f"files ending in {', '.join(sorted(EXTENSIONS))} are read",
                fix="put each class's images into a folder named after the class",
            )

    def _unwrap(self, folder: Path) -> Path:
        """Go down while there is nothing but one folder, which has folders itself."""
        if not folder.is_dir():
            raise DataError(f"{self._path} is no folder", where="data.reader.path")
        while True:
            inner = _folders(folder)
            images = any(_is_image(path) for path in visible(folder))
            if images or len(inner) != 1 or split_of(inner[0].name) or not _folders(inner[0]):
                return folder
            folder = inner[0]

    def _parts(self, base: Path) -> list[tuple[str | None, Path]]:
        """The folders that hold class folders, with their splits."""
        folders = _folders(base)
        splits = {folder: split_of(folder.name) for folder in folders}
        published = bool(folders) and all(splits.values()) and any(_folders(folder) for folder in folders)
        if self._splits is False or (self._splits == "auto" and not published):
            return [(None, base)]
        if not published:
            raise DataError(
                f"the folders in {base.as_posix()} are no splits",
                where="data.reader.splits",
                details=[folder.name for folder in folders][:5],
                fix="name them train, validation and test, or set data.reader.splits=false",
            )
        order = {"train": 0, "validation": 1, "test": 2}
        return sorted(
            ((splits[folder], folder) for folder in folders), key=lambda part: (order[part[0] or ""], part[1])
        )

    def _read(self, split: str | None, folder: Path) -> Iterator[Sample]:
        for path in visible(folder):
            if path.is_dir():
                for image in _images_below(path):
                    yield self._sample(image, path.name, split)
            elif _is_image(path):
                yield self._sample(path, None, split)

    def _sample(self, path: Path, label: str | None, split: str | None) -> Sample:
        name = path.relative_to(self._root).as_posix()
        try:
            return Sample(id=name, value=decode(path), label=label, split=split)
        except (ValueError, OSError) as error:
            return Sample(id=name, value=None, label=label, split=split, error=str(error) or type(error).__name__)


def _folders(folder: Path) -> list[Path]:
    return [path for path in visible(folder) if path.is_dir()]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and path.is_file()


def _images_below(folder: Path) -> Iterator[Path]:
    """Image files in a folder and the folders in it, each folder's by name."""
    for top, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and _is_image(path := Path(top, name)):
                yield path
