"""One split of series as one Arrow IPC file, memory-mapped and read as windows.

A row is a step: its values and calendar columns (``value``), which of the values were observed (``observed``), its
``time``, the name of its ``series``, and whether a forecast may begin with it (``begin``). The ``lookback`` steps
before a row where one begins, and the ``horizon`` steps from it on, are neighbouring rows of one series.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stagewise.data.features.series_entry import SeriesEntry
from stagewise.data.schema import DataSchema
from stagewise.errors import DataError
from stagewise.runtime.series import show_time

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Neighbouring steps of one series, as they are stored.

    Attributes:
        series: its name.
        times: datetime64[s] ``(n,)``.
        values: float32 ``(n, V + calendar)``.
        observed: bool ``(n, V)``.
        begins: bool ``(n,)``, true where a forecast may begin.
    """

    series: str
    times: NDArray[np.datetime64]
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    begins: NDArray[np.bool_]


def write_steps(parts: Sequence[Steps], width: int, variables: int, path: Path) -> None:
    """Write the split file; equal parts give equal bytes.

    Args:
        width: columns of the values, of which the first ``variables`` are not calendar features.
    """
    names = list(dict.fromkeys(part.series for part in parts))
    codes = [np.full(len(part.times), names.index(part.series), np.int32) for part in parts]
    columns = {
        "value": _lists(_join([part.values for part in parts], np.float32, width), pa.float32()),
        "observed": _lists(_join([part.observed for part in parts], np.bool_, variables).view(np.uint8), pa.uint8()),
        "time": pa.array(np.concatenate([part.times for part in parts] or [np.empty(0, "datetime64[s]")])),
        "series": pa.DictionaryArray.from_arrays(
            pa.array(np.concatenate(codes or [np.empty(0, np.int32)])), pa.array(names, pa.string())
        ),
        "begin": pa.array(np.concatenate([part.begins for part in parts] or [np.empty(0, np.bool_)])),
    }
    # One record batch, so that the values are one array in the file and a window never lies in two.
    batch = pa.RecordBatch.from_pydict(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


class WindowReader:
    """The windows of a split file: each begins to forecast one step after the other.

    Nothing is read until it is asked for. Pickles as its arguments, so a loader worker opens its own map.

    Raises:
        DataError: the file is missing, damaged, or not the one that the schema describes.
    """

    lengths: Indices | None = None
    """All windows are of one length."""

    def __init__(self, path: Path, schema: DataSchema) -> None:
        self._path, self._schema = Path(path), schema
        entry = schema.feature.narrow(SeriesEntry)
        self._sizes = (entry.lookback, entry.horizon)
        self._variables, self._width = len(entry.variables), entry.shape[1]
        columns = _open(self._path)
        values, observed = (_flat(columns, name, self._path) for name in ("value", "observed"))
        self._times = columns.column("time")
        self._series = columns.column("series")
        self._begins = np.flatnonzero(columns.column("begin").to_numpy(zero_copy_only=False)).astype(np.int64)
        steps = columns.num_rows
        inside = not len(self._begins) or (
            self._begins[0] >= entry.lookback and self._begins[-1] <= steps - entry.horizon
        )
        if len(values) != steps * self._width or len(observed) != steps * self._variables or not inside:
            why = f"it does not hold windows of {self._width} columns, {entry.lookback} steps long"
            raise _damaged(self._path, why)
        self._inputs = _runs(values, self._width, entry.lookback)
        self._targets = _runs(values, self._width, entry.horizon)
        self._observed = _runs(observed, self._variables, entry.horizon)

    def __len__(self) -> int:
        return len(self._begins)

    def __reduce__(self) -> tuple[type[Self], tuple[Path, DataSchema]]:
        return type(self), (self._path, self._schema)

    def take(self, indices: Indices) -> NDArray[np.float32]:
        """Inputs float32 ``(n, lookback, V + calendar)``, complete.

        Raises:
            IndexError: an index is negative or not below ``len(self)``.
        """
        lookback = self._sizes[0]
        rows: NDArray[np.float32] = self._inputs[self._places(indices) - lookback]
        return rows.reshape(len(indices), lookback, self._width)

    def take_targets(self, indices: Indices) -> NDArray[np.float32]:
        """Targets float32 ``(n, horizon, V)``, NaN where nothing was observed.

        Raises:
            IndexError: an index is negative or not below ``len(self)``.
        """
        places, horizon = self._places(indices), self._sizes[1]
        rows = self._targets[places].reshape(len(indices), horizon, self._width)[..., : self._variables]
        observed = self._observed[places].reshape(rows.shape)
        return np.where(observed, rows, np.float32(np.nan))

    def ids(self, indices: Indices) -> list[str]:
        """``series@time`` of the first step that each window forecasts."""
        places = pa.array(self._places(indices))
        times = self._times.take(places).to_numpy()
        names = self._series.take(places).to_pylist()
        return [f"{name}@{show_time(time)}" for name, time in zip(names, times, strict=True)]

    def series(self) -> Indices:
        """Number of the series of every window, ``(n,)``; windows of one series follow each other in time."""
        return np.asarray(self._series.indices)[self._begins].astype(np.int64)

    def begins(self) -> Indices:
        """Place of the first forecast step of every window among the stored steps, ascending ``(n,)``."""
        return self._begins

    def batches(self, size: int) -> Iterator[tuple[Indices, NDArray[np.float32], NDArray[np.float32]]]:
        """Yield (indices, inputs, targets) of ``size`` windows at a time, in order; the last may be shorter."""
        for begin in range(0, len(self), size):
            indices = np.arange(begin, min(begin + size, len(self)), dtype=np.int64)
            yield indices, self.take(indices), self.take_targets(indices)

    def _places(self, indices: Indices) -> Indices:
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            raise IndexError(f"windows {indices.min()}..{indices.max()} of {len(self)}")
        return self._begins[indices]


def _join(parts: list[NDArray[Any]], dtype: Any, width: int) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty((0, width), dtype)


def _lists(rows: NDArray[Any], kind: pa.DataType) -> pa.FixedSizeListArray:
    """Rows ``(n, width)`` as lists that are never null."""
    item = pa.field("item", kind, nullable=False)
    values = pa.array(np.ascontiguousarray(rows).reshape(-1), kind)
    return pa.FixedSizeListArray.from_arrays(values, type=pa.list_(item, rows.shape[1]))


def _open(path: Path) -> pa.RecordBatch:
    try:
        return pa.ipc.open_file(pa.memory_map(str(path)).read_buffer()).get_batch(0)
    except FileNotFoundError as error:
        raise DataError("a split file is missing", where=str(path), fix="dvc repro preprocess") from error
    except (pa.ArrowInvalid, OSError, IndexError) as error:
        raise _damaged(path, str(error)) from error


def _flat(columns: pa.RecordBatch, name: str, path: Path) -> NDArray[Any]:
    """The numbers of a column of lists, one after another, as they lie in the file."""
    index = columns.schema.get_field_index(name)
    if index < 0 or not isinstance(columns.column(index).type, pa.FixedSizeListType):
        raise _damaged(path, f"it has no column {name} of lists")
    return np.asarray(columns.column(index).flatten().to_numpy())


def _runs(values: NDArray[Any], width: int, length: int) -> NDArray[Any]:
    """Every run of ``length`` rows of ``width`` numbers, as a view ``(runs, length * width)``."""
    runs = max(len(values) // width - length + 1, 0)
    size = values.itemsize
    return np.lib.stride_tricks.as_strided(values, (runs, length * width), (width * size, size), writeable=False)


def _damaged(path: Path, why: str) -> DataError:
    return DataError("a split file is damaged", where=str(path), why=why, fix="dvc repro -f preprocess")
