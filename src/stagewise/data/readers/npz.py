"""Arrays of a NumPy .npz file, streamed row by row."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from stagewise.data.readers.files import find_one, locate, split_key
from stagewise.data.sample import Sample
from stagewise.errors import DataError

# RuntimeError: zipfile's word for "encrypted", NotImplementedError for an unknown compression.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)
_KNOWN = (
    {"all": ("images", "labels")},
    {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},
    {
        "train": ("train_images", "train_labels"),
        "validation": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
)
"""Names of arrays that are found without being told, by split."""


class NpzReader:
    """Images and labels in the arrays of one .npz file; nothing is unpickled.

    Args:
        file: the .npz file below data/raw/; the only one when null.
        images: array of each split (``train``, ``validation``, ``test``; ``all`` when none is published):
            N x H x W, or N x H x W x C. Null for the usual names: images; x_train, x_val, x_test;
            train_images, val_images, test_images.
        labels: array of the labels of each split, N integers or strings; null goes with null images.
        root: data/raw/.
    """

    def __init__(
        self,
        file: str | None = None,
        images: dict[str, str] | None = None,
        labels: dict[str, str] | None = None,
        *,
        root: Path,
    ) -> None:
        if set(images or {}) != set(labels or {}):
            raise DataError(
                "images and labels must name the same splits",
                where="data.reader",
                why=f"images has {sorted(images or {})}, labels has {sorted(labels or {})}",
            )
        self._file = file
        self._arrays = {split: (images[split], (labels or {})[split]) for split in images} if images else None
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the rows, split after split.

        Raises:
            DataError: the file or an array is missing, damaged, or of a shape or type that holds no images.
        """
        path = locate(self._root, self._file) if self._file else find_one(self._root, (".npz",), "file")
        try:
            with zipfile.ZipFile(path) as archive:
                for split, (images, labels) in self._choose(path, archive).items():
                    yield from self._read(path, archive, split, images, labels)
        except _DAMAGE as error:
            why = str(error) or type(error).__name__
            raise DataError(f"{path.name} cannot be read", where=str(path), why=why) from error

    def _choose(self, path: Path, archive: zipfile.ZipFile) -> dict[str, tuple[str, str]]:
        """Names of the image and the label array of each split."""
        held = [name.removesuffix(".npy") for name in archive.namelist()]
        wanted = self._arrays
        if wanted is None:
            candidates = ({k: v for k, v in known.items() if set(v) <= set(held)} for known in _KNOWN)
            wanted = next((found for found in candidates if found), {})
        missing = [name for names in wanted.values() for name in names if name not in held]
        if missing or not wanted:
            raise DataError(
                f"{path.name} has no array {', '.join(missing)}"
                if missing
                else f"{path.name} has no array of a known name",
                where=str(path),
                details=[f"it holds {name}" for name in sorted(held)[:10]],
                fix="name its arrays, as data.reader.images={train: NAME} and data.reader.labels={train: NAME}",
            )
        return wanted

    def _read(self, path: Path, archive: zipfile.ZipFile, key: str, images: str, labels: str) -> Iterator[Sample]:
        targets = _labels(path, archive, labels)
        with archive.open(f"{images}.npy") as file:
            shape, dtype, fortran = _header(path, images, file)
            if len(shape) not in {3, 4}:
                raise DataError(
                    f"{images} in {path.name} has shape {shape}, images have 3 or 4 dimensions", where=str(path)
                )
            if dtype.kind not in "buif":
                raise DataError(f"{images} in {path.name} is of type {dtype}, images are numbers", where=str(path))
            if shape[0] != len(targets):
                why = f"{shape[0]:,} images, {len(targets):,} labels"
                raise DataError(f"{images} and {labels} do not belong together", where=str(path), why=why)
            name = path.relative_to(self._root).as_posix()
            rows = _columns(path, images, file, shape, dtype) if fortran else _rows(path, images, file, shape, dtype)
            for index, (value, label) in enumerate(zip(rows, targets, strict=True)):
                yield Sample(id=f"{name}#{images}/{index}", value=value, label=label, split=split_key(key))


def _header(path: Path, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape, type, and whether the order is Fortran's, of an open .npy."""
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except Exception as error:  # numpy parses a Python literal there, which fails in many ways
        raise DataError(f"{name} in {path.name} is no array", where=str(path), why=str(error)) from error
    if min(shape, default=0) < 0 or (dtype.itemsize == 0 and not dtype.hasobject):
        raise DataError(f"{name} in {path.name} has the shape {shape} and the type {dtype}", where=str(path))
    if dtype.hasobject:
        raise DataError(
            f"{name} in {path.name} holds Python objects, which are not loaded",
            where=str(path),
            why="unpickling a file can run any code",
            fix="save it as an array of numbers or of fixed-length strings",
        )
    return shape, dtype, fortran


def _rows(
    path: Path, name: str, file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Each row, read when it is asked for."""
    size = math.prod(shape[1:]) * dtype.itemsize
    for _ in range(shape[0]):
        data = file.read(size)
        if len(data) != size:
            raise DataError(f"{name} in {path.name} is shorter than its header says", where=str(path))
        yield np.frombuffer(data, dtype).reshape(shape[1:])


def _columns(
    path: Path, name: str, file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    """Each row of an array in Fortran order, in which rows are scattered: the whole is read."""
    data = file.read()
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise DataError(f"{name} in {path.name} has not the size that its header says", where=str(path))
    yield from np.frombuffer(data, dtype).reshape(shape, order="F")


def _labels(path: Path, archive: zipfile.ZipFile, name: str) -> list[str | int | None]:
    """The labels of a split: integers as int, strings as str, NaN as None."""
    with archive.open(f"{name}.npy") as file:
        shape, dtype, _ = _header(path, name, file)
        data = file.read()
    if not shape or math.prod(shape) != shape[0] or len(data) != math.prod(shape) * dtype.itemsize:
        raise DataError(f"{name} in {path.name} has shape {shape}, one label per image is needed", where=str(path))
    values = np.frombuffer(data, dtype)
    if dtype.kind == "f":
        if not np.all(np.isnan(values) | (values == np.rint(values))):
            raise DataError(f"{name} in {path.name} holds fractions, labels are integers or strings", where=str(path))
        return [None if np.isnan(value) else int(value) for value in values]
    if dtype.kind in "bui":
        return [int(value) for value in values]
    if dtype.kind == "U":
        return [str(value) for value in values]
    raise DataError(f"{name} in {path.name} is of type {dtype}, labels are integers or strings", where=str(path))
