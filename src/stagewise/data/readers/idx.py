"""IDX files, the layout of MNIST and its relatives."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from stagewise.data.readers.files import locate, split_key
from stagewise.data.sample import Sample
from stagewise.errors import DataError

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_LARGEST_ROW = 1 << 30


class IdxReader:
    """Images and labels of IDX files, plain or gzipped, streamed one image at a time.

    A file named with ``.gz`` is found unpacked too, and one named without it, packed.

    Args:
        images: file of each split (``train``, ``validation``, ``test``; ``all`` when none is published):
            N x H x W, or N x H x W x C.
        labels: file of the labels of each split: N integers.
        root: data/raw/.
    """

    def __init__(self, images: dict[str, str], labels: dict[str, str], *, root: Path) -> None:
        if not images or set(images) != set(labels):
            raise DataError(
                "images and labels must name the same splits",
                where="data.reader",
                why=f"images has {sorted(images)}, labels has {sorted(labels)}",
            )
        self._pairs = [(split_key(key), images[key], labels[key]) for key in images]
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples, split after split as the config names them.

        Raises:
            DataError: a file is missing, damaged, or not what its header says.
        """
        for split, images, labels in self._pairs:
            yield from self._read(split, _find(self._root, images), _find(self._root, labels))

    def _read(self, split: str | None, images: Path, labels: Path) -> Iterator[Sample]:
        with _open(images) as values, _open(labels) as targets:
            if len(values.shape) not in {3, 4}:
                raise DataError(
                    f"{images.name} holds {len(values.shape)} dimensions, images have 3 or 4", where=str(images)
                )
            if len(targets.shape) != 1 or targets.dtype.kind == "f":
                raise DataError(f"{labels.name} does not hold one integer per image", where=str(labels))
            if values.shape[0] != targets.shape[0]:
                raise DataError(
                    f"{images.name} and {labels.name} do not belong together",
                    where=str(images.parent),
                    why=f"{values.shape[0]:,} images, {targets.shape[0]:,} labels",
                )
            name = images.relative_to(self._root).as_posix()
            for index, (value, label) in enumerate(zip(values.rows(), targets.rows(), strict=True)):
                yield Sample(id=f"{name}#{index}", value=value, label=int(label), split=split)


def _find(root: Path, name: str) -> Path:
    """The file ``name``, or that of the same name with or without ``.gz``; DataError if there is neither."""
    try:
        return locate(root, name)
    except DataError:
        other = name.removesuffix(".gz") if name.endswith(".gz") else f"{name}.gz"
        try:
            return locate(root, other)
        except DataError:
            pass
        raise


@dataclass(frozen=True)
class _Idx:
    """An open IDX file, its header read."""

    path: Path
    file: IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def rows(self) -> Iterator[NDArray[Any]]:
        """Each entry along the first dimension, in native byte order."""
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        if size > _LARGEST_ROW:
            raise DataError(f"{self.path.name} says that one image has {size:,} bytes", where=str(self.path))
        native = self.dtype.newbyteorder("=")
        for index in range(self.shape[0]):
            data = _bytes(self.file, size, self.path)
            if len(data) != size:
                raise DataError(
                    f"{self.path.name} ends in entry {index:,}, its header says {self.shape[0]:,}", where=str(self.path)
                )
            yield np.frombuffer(data, self.dtype).reshape(self.shape[1:]).astype(native, copy=False)
        if _bytes(self.file, 1, self.path):
            raise DataError(f"{self.path.name} is longer than its header says", where=str(self.path))


@contextmanager
def _open(path: Path) -> Iterator[_Idx]:
    """Open an IDX file, unpacking gzip (known by its first bytes), and read its header."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        with file:
            yield _Idx(path, file, *_header(path, file))


def _bytes(file: IO[bytes], size: int, path: Path) -> bytes:
    """Up to ``size`` bytes; DataError where gzip finds damage."""
    try:
        return file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is damaged", where=str(path), why=str(error) or type(error).__name__) from error


def _header(path: Path, file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Type and shape: two zero bytes, the type, the number of dimensions, then each as big-endian uint32."""
    magic = _bytes(file, 4, path)
    if len(magic) != 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        raise DataError(
            f"{path.name} is no IDX file",
            where=str(path),
            why=f"it starts with {magic.hex(' ') or 'nothing'}, IDX with 00 00, a type (08 to 0e) and the dimensions",
        )
    sizes = _bytes(file, 4 * magic[3], path)
    if len(sizes) != 4 * magic[3]:
        raise DataError(f"{path.name} ends in its header", where=str(path))
    return _DTYPES[magic[2]], tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
