"""One split as one Arrow IPC file, memory-mapped and read in whole batches.

Columns: ``value`` (the flattened array, a list of fixed size or of any), ``target`` (int64, or float64 for numbers
to predict), ``id`` (string).
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from stagewise.data.layout import Block, Layout
from stagewise.errors import DataError


class SplitWriter:
    """Writes rows to ``path`` in record batches of exactly ``rows_per_batch`` rows (the last may be shorter).

    Memory is bounded by one record batch, and equal rows give equal bytes however they are
    cut into calls of ``write``. A context manager.
    """

    def __init__(self, path: Path, layout: Layout, rows_per_batch: int, targets: DTypeLike = np.int64) -> None:
        self._layout, self._rows_per_batch = layout, rows_per_batch
        self._values: list[NDArray[Any]] = []
        self._targets = np.empty(rows_per_batch, targets)
        self._ids: list[str] = []
        item = pa.field("item", pa.from_numpy_dtype(layout.dtype), nullable=False)
        kind = pa.list_(item) if layout.shape is None else pa.list_(item, int(np.prod(layout.shape)))
        self._schema = pa.schema(
            [
                pa.field("value", kind, nullable=False),
                pa.field("target", pa.from_numpy_dtype(self._targets.dtype), nullable=False),
                pa.field("id", pa.string(), nullable=False),
            ]
        )
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)

    def write(self, values: Block, targets: NDArray[Any], ids: list[str]) -> None:
        """Append rows: values (n, *shape) or n arrays of any length, targets (n,), ids of length n."""
        if not len(values) == len(targets) == len(ids):
            raise ValueError(f"{len(values)} values, {len(targets)} targets and {len(ids)} ids")
        done = 0
        while done < len(ids):
            begin = len(self._ids)
            count = min(self._rows_per_batch - begin, len(ids) - done)
            self._keep(values[done : done + count])
            self._targets[begin : begin + count] = targets[done : done + count]
            self._ids.extend(ids[done : done + count])
            done += count
            if len(self._ids) == self._rows_per_batch:
                self._flush()

    def close(self) -> None:
        """Write the remaining rows and the footer."""
        if self._ids:
            self._flush()
        self._writer.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def _keep(self, values: Block) -> None:
        """Copies, so that the caller may fill its buffer again."""
        if self._layout.shape is None:
            self._values.extend(np.array(value, self._layout.dtype) for value in values)
        else:
            self._values.append(np.array(values, self._layout.dtype))

    def _flush(self) -> None:
        kind = self._schema.field("value").type
        items = pa.array(np.concatenate([part.reshape(-1) for part in self._values]))
        if self._layout.shape is None:
            ends = np.cumsum([0, *(len(value) for value in self._values)], dtype=np.int32)
            value = pa.ListArray.from_arrays(pa.array(ends), items, type=kind)
        else:
            value = pa.FixedSizeListArray.from_arrays(items, type=kind)
        columns = [value, pa.array(self._targets[: len(self._ids)]), pa.array(self._ids, pa.string())]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self._ids, self._values = [], []


class SplitReader:
    """Memory-mapped rows of one split file, of ``shape`` without their row axis, or ragged: of any length.

    Nothing is read until it is asked for. Pickles as its arguments, so a loader worker opens its own map.

    Attributes:
        targets: of every row, ``(n,)``.
        lengths: of every row where they vary, ``(n,)``, else None.

    Raises:
        DataError: the file is missing, damaged, or holds rows of another size.
    """

    def __init__(self, path: Path, shape: tuple[int, ...] | None) -> None:
        self._path, self._shape = Path(path), shape
        mapped = _open(lambda: pa.memory_map(str(path)).read_buffer(), self._path)
        self._table = _open(lambda: pa.ipc.open_file(mapped).read_all(), self._path)
        self._dtype = _check_values(self._table.schema, shape, self._path)
        chunks = self._table.column("value").chunks
        ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
        starts = np.array([chunk.buffers()[-1].address - mapped.address for chunk in chunks], np.int64)
        self._bytes = np.frombuffer(mapped, np.uint8)
        self.lengths: NDArray[np.int64] | None = None
        if shape is None:
            self._begins, self.lengths = _ragged_places(chunks, starts // self._dtype.itemsize)
        else:
            self._row_bytes = int(np.prod(shape)) * self._dtype.itemsize
            # Where row 0 of each record batch would start in the file if rows were counted over all batches.
            self._ends = ends
            self._origins = starts - np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(starts)] * self._row_bytes
            self._windows = _windows(self._bytes, self._row_bytes)
        self.targets: NDArray[Any] = np.array(self._table.column("target").to_numpy())

    def __len__(self) -> int:
        return len(self.targets)

    def __reduce__(self) -> tuple[type[Self], tuple[Path, tuple[int, ...] | None]]:
        return type(self), (self._path, self._shape)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Gather rows, in the order of ``indices``, into a new array (n, *shape).

        Ragged rows are padded with zeros to the longest of them (at least 1): (n, longest).

        Raises:
            IndexError: an index is negative or not below ``len(self)``.
        """
        self._check(indices)
        if self.lengths is not None:
            return self._take_ragged(indices, self.lengths[indices])
        batches = np.searchsorted(self._ends, indices, side="right")
        rows: NDArray[Any] = self._windows[self._origins[batches] + indices * self._row_bytes]
        return rows.view(self._dtype).reshape(len(indices), *(self._shape or ()))

    def take_targets(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Targets of these rows, ``(n,)``."""
        targets: NDArray[Any] = self.targets[indices]
        return targets

    def block(self, indices: NDArray[np.int64]) -> Block:
        """These rows as they were written: ragged ones as a list of arrays."""
        values = self.take(indices)
        if self.lengths is None:
            return values
        return [row[:length] for row, length in zip(values, self.lengths[indices], strict=True)]

    def ids(self, indices: NDArray[np.int64]) -> list[str]:
        """The ids of these rows."""
        ids: list[str] = self._table.column("id").take(pa.array(indices, pa.int64())).to_pylist()
        return ids

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]]:
        """Yield (indices, values, targets) of ``size`` rows at a time, in order; the last may be shorter."""
        for begin in range(0, len(self), size):
            indices = np.arange(begin, min(begin + size, len(self)), dtype=np.int64)
            yield indices, self.take(indices), self.targets[begin : begin + size]

    def _check(self, indices: NDArray[np.int64]) -> None:
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            raise IndexError(f"rows {indices.min()}..{indices.max()} of {len(self)}")

    def _take_ragged(self, indices: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[Any]:
        items = self._bytes[: len(self._bytes) // self._dtype.itemsize * self._dtype.itemsize].view(self._dtype)
        steps = np.arange(max(int(lengths.max(initial=0)), 1))
        inside = steps < lengths[:, None]
        places = np.where(inside, self._begins[indices][:, None] + steps, 0)
        return np.where(inside, items[places], self._dtype.type(0))


def scan(path: Path, layout: Layout) -> Iterator[tuple[Block, NDArray[Any], list[str]]]:
    """Yield (values, targets, ids) of one record batch after the other.

    Reads instead of mapping, so that memory stays bounded by one record batch.
    """
    with pa.OSFile(str(path), "rb") as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            column = batch.column("value")
            items = column.flatten().to_numpy()
            values: Block
            if layout.shape is None:
                values = np.split(items, column.offsets.to_numpy()[1:-1])
            else:
                values = items.reshape(batch.num_rows, *layout.shape)
            yield values, batch.column("target").to_numpy(), batch.column("id").to_pylist()


def _open(action: Any, path: Path) -> Any:
    try:
        return action()
    except FileNotFoundError as error:
        raise DataError("a split file is missing", where=str(path), fix="dvc repro preprocess") from error
    except pa.ArrowInvalid as error:
        raise DataError(
            "a split file is damaged", where=str(path), why=str(error), fix="dvc repro -f preprocess"
        ) from error


def _check_values(schema: pa.Schema, shape: tuple[int, ...] | None, path: Path) -> np.dtype[Any]:
    index = schema.get_field_index("value")
    kind = schema.field(index).type if index >= 0 else None
    if shape is None:
        fits = isinstance(kind, pa.ListType)
    else:
        fits = isinstance(kind, pa.FixedSizeListType) and kind.list_size == int(np.prod(shape))
    if kind is None or not fits:
        wanted = "any length" if shape is None else f"shape {shape}"
        raise DataError(f"the rows of a split file do not have {wanted}", where=str(path), why=f"they are {kind}")
    dtype: np.dtype[Any] = np.dtype(kind.value_type.to_pandas_dtype())
    return dtype


def _ragged_places(
    chunks: list[pa.ListArray], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each row begins, counted in items from the start of the file, and its length."""
    offsets = [chunk.offsets.to_numpy().astype(np.int64) for chunk in chunks]
    begins = [start + places[:-1] for start, places in zip(starts, offsets, strict=True)]
    none = np.empty(0, np.int64)
    return np.concatenate([none, *begins]), np.concatenate([none, *(np.diff(places) for places in offsets)])


def _windows(mapped: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Every run of ``width`` bytes of the map, as a view: one fancy index then gathers rows of all record batches."""
    count = max(len(mapped) - width + 1, 0)
    return np.lib.stride_tricks.as_strided(mapped, (count, width), (1, 1), writeable=False)
