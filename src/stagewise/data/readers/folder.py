"""A folder of class folders with image files in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from stagewise.data.readers.class_folders import ClassFolders
from stagewise.data.sample import Sample
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
        self._folders = ClassFolders(root, path, splits, _is_image)
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the images by split, class and file name.

        Raises:
            DataError: the folder is missing or holds no image.
        """
        why = f"files ending in {', '.join(sorted(EXTENSIONS))} are read"
        fix = "put each class's images into a folder named after the class"
        for path, label, split in self._folders.files(what="image", why=why, fix=fix):
            name = path.relative_to(self._root).as_posix()
            try:
                yield Sample(id=name, value=decode(path), label=label, split=split)
            except (ValueError, OSError) as error:
                yield Sample(id=name, value=None, label=label, split=split, error=str(error) or type(error).__name__)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS and path.is_file()
