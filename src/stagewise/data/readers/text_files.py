"""A folder of class folders with a text in each file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from stagewise.data.readers.class_folders import ClassFolders
from stagewise.data.readers.delimited import check_encoding
from stagewise.data.sample import Sample


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
        check_encoding(encoding)
        self._ending = ending.lower()
        self._encoding = encoding
        self._folders = ClassFolders(root, path, splits, self._is_text)
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the texts by split, class and file name.

        Raises:
            DataError: the folder is missing or holds no such file.
        """
        why = f"files ending in {self._ending} are read"
        fix = "put each class's texts into a folder named after the class, or set data.reader.ending"
        for path, label, split in self._folders.files(what="text", why=why, fix=fix):
            name = path.relative_to(self._root).as_posix()
            try:
                text = path.read_bytes().decode(self._encoding).removeprefix("\ufeff")
                yield Sample(id=name, value=text, label=label, split=split)
            except (OSError, UnicodeError) as error:
                yield Sample(id=name, value=None, label=label, split=split, error=str(error))

    def _is_text(self, path: Path) -> bool:
        return path.name.lower().endswith(self._ending) and path.is_file()
