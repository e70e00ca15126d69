"""One split as one Arrow IPC file, memory-mapped and read in whole batches.

Columns: ``value`` (fixed-size list of the flattened array), ``target`` (int64), ``id`` (string).
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from stagewise.errors import DataError


class SplitWriter:
    """Writes rows to ``path`` in record batches of exactly ``rows_per_batch`` rows (the last may be shorter).

    Memory is bounded by one record batch, and equal rows give equal bytes however they are
    cut into calls of ``write``. A context manager.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike, rows_per_batch: int) -> None:
        self._values = np.empty((rows_per_batch, *shape), dtype)
        self._targets = np.empty(rows_per_batch, np.int64)
        self._ids: list[str] = []
        item = pa.field("item", pa.from_numpy_dtype(self._values.dtype), nullable=False)
        width = int(np.prod(shape))
        self._schema = pa.schema(
            [
                pa.field("value", pa.list_(item, width), nullable=False),
                pa.field("target", pa.int64(), nullable=False),
                pa.field("id", pa.string(), nullable=False),
            ]
        )
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)

    def write(self, values: NDArray[Any], targets: NDArray[np.int64], ids: list[str]) -> None:
        """Append rows: values (n, *shape), targets (n,), ids of length n."""
        if not len(values) == len(targets) == len(ids):
            raise ValueError(f"{len(values)} values, {len(targets)} targets and {len(ids)} ids")
        done = 0
        while done < len(ids):
            begin = len(self._ids)
            count = min(len(self._targets) - begin, len(ids) - done)
            self._values[begin : begin + count] = values[done : done + count]
            self._targets[begin : begin + count] = targets[done : done + count]
            self._ids.extend(ids[done : done + count])
            done += count
            if len(self._ids) == len(self._targets):
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

    def _flush(self) -> None:
        rows = len(self._ids)
        items = pa.array(self._values[:rows].reshape(-1))
        value = pa.FixedSizeListArray.from_arrays(items, type=self._schema.field("value").type)
        columns = [value, pa.array(self._targets[:rows]), pa.array(self._ids, pa.string())]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
        self._ids = []


class SplitReader:
    """Memory-mapped rows of one split file; values have ``shape``, without their row axis.

    Nothing is read until it is asked for. Pickles as its arguments, so a loader worker opens its own map.

    Raises:
        DataError: the file is missing, damaged, or holds rows of another size.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path = Path(path)
        self._shape = tuple(shape)
        mapped = _open(lambda: pa.memory_map(str(path)).read_buffer(), self._path)
        self._table = _open(lambda: pa.ipc.open_file(mapped).read_all(), self._path)
        self._dtype = _check_values(self._table.schema, self._shape, self._path)
        chunks = self._table.column("value").chunks
        self._ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
        self._row_bytes = int(np.prod(shape)) * self._dtype.itemsize
        # Where row 0 of each record batch would start in the file if rows were counted over all batches.
        starts = np.array([chunk.buffers()[-1].address - mapped.address for chunk in chunks], np.int64)
        firsts = self._ends - np.array([len(chunk) for chunk in chunks], np.int64)
        self._origins = starts - firsts * self._row_bytes
        self._windows = _windows(np.frombuffer(mapped, np.uint8), self._row_bytes)
        self.targets: NDArray[np.int64] = np.array(self._table.column("target").to_numpy())

    def __len__(self) -> int:
        return len(self.targets)

    def __reduce__(self) -> tuple[type[Self], tuple[Path, tuple[int, ...]]]:
        return type(self), (self._path, self._shape)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Gather rows, in the order of ``indices``, into a new array (n, *shape).

        Raises:
            IndexError: an index is negative or not below ``len(self)``.
        """
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            raise IndexError(f"rows {indices.min()}..{indices.max()} of {len(self)}")
        batches = np.searchsorted(self._ends, indices, side="right")
        rows: NDArray[Any] = self._windows[self._origins[batches] + indices * self._row_bytes]
        return rows.view(self._dtype).reshape(len(indices), *self._shape)

    def ids(self, indices: NDArray[np.int64]) -> list[str]:
        """The ids of these rows."""
        ids: list[str] = self._table.column("id").take(pa.array(indices, pa.int64())).to_pylist()
        return ids

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]]:
        """Yield (indices, values, targets) of ``size`` rows at a time, in order; the last may be shorter."""
        for begin in range(0, len(self), size):
            indices = np.arange(begin, min(begin + size, len(self)), dtype=np.int64)
            yield indices, self.take(indices), self.targets[begin : begin + size]


def scan(path: Path, shape: tuple[int, ...]) -> Iterator[tuple[NDArray[Any], NDArray[np.int64], list[str]]]:
    """Yield (values, targets, ids) of one record batch after the other.

    Reads instead of mapping, so that memory stays bounded by one record batch.
    """
    with pa.OSFile(str(path), "rb") as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            values = batch.column("value").flatten().to_numpy().reshape(batch.num_rows, *shape)
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


def _check_values(schema: pa.Schema, shape: tuple[int, ...], path: Path) -> np.dtype[Any]:
    index = schema.get_field_index("value")
    kind = schema.field(index).type if index >= 0 else None
    if not isinstance(kind, pa.FixedSizeListType) or kind.list_size != int(np.prod(shape)):
        raise DataError(f"the rows of a split file do not have shape {shape}", where=str(path), why=f"they are {kind}")
    dtype: np.dtype[Any] = np.dtype(kind.value_type.to_pandas_dtype())
    return dtype


def _windows(mapped: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Every run of ``width`` bytes of the map, as a view: one fancy index then gathers rows of all record batches."""
    count = max(len(mapped) - width + 1, 0)
    return np.lib.stride_tricks.as_strided(mapped, (count, width), (1, 1), writeable=False)
