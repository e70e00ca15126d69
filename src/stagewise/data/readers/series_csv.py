"""Time series in a CSV or Parquet table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from annotated_types import Len
from numpy.typing import NDArray
from pyarrow import csv, parquet

from stagewise.data.readers.files import find_one, locate
from stagewise.data.sample import Sample
from stagewise.data.series.series import Series
from stagewise.errors import DataError
from stagewise.runtime.series import MISSING, SeriesError, to_times

_ENDINGS = (".csv", ".csv.gz", ".parquet")


class SeriesReader:
    """A time column, and a column per variable; with a series column several series, one below the other or mixed.

    The table is held in memory while it is read.

    Args:
        file: the .csv or .parquet file below data/raw/; the only one when null.
        time: column of the times, in ISO notation (1949, 1949-01, 1949-01-31, 1949-01-31 12:00) unless
            ``time_format`` says otherwise.
        series: column that tells series apart; null for a table of one series.
        variables: columns to forecast; null for all others.
        time_format: notation of the times as strptime has it, "%d.%m.%Y %H:%M".
        delimiter: of a CSV file.
        decimal: decimal sign of a CSV file.
        root: data/raw/.
    """

    def __init__(
        self,
        file: str | None = None,
        time: str = "time",
        series: str | None = None,
        variables: Annotated[Sequence[str], Len(1)] | None = None,
        time_format: str | None = None,
        delimiter: Annotated[str, Len(1, 1)] = ",",
        decimal: Literal[".", ","] = ".",
        *,
        root: Path,
    ) -> None:
        self.time_column, self.series_column = time, series
        self._file, self._time_format = file, time_format
        self._variables = list(variables) if variables else None
        self._delimiter, self._decimal = delimiter, decimal
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the series by first appearance; the value of each is a Series.

        Raises:
            DataError: the table or a column is missing or damaged, or a cell is no time or no number.
        """
        path = locate(self._root, self._file) if self._file else find_one(self._root, _ENDINGS, "file")
        table = self._read(path)
        names = self._choose(table, path)
        times = self._times(table.column(self.time_column), path)
        values = np.stack([_floats(table.column(name), name, path) for name in names], 1)
        if self.series_column is None:
            name = path.name.split(".")[0]
            yield Sample(id=name, value=Series(times, values, tuple(names)), label=None)
            return
        for name, rows in _groups(table.column(self.series_column), self.series_column, path):
            yield Sample(id=name, value=Series(times[rows], values[rows], tuple(names)), label=None)

    def _read(self, path: Path) -> pa.Table:
        try:
            return parquet.read_table(path) if path.suffix == ".parquet" else self._read_csv(path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(
                f"{path.name} cannot be read",
                where=str(path),
                why=str(error),
                fix="correct the file, or set data.reader.delimiter and decimal to what it uses",
            ) from error

    def _read_csv(self, path: Path) -> pa.Table:
        """The table with times and series as text, and variables as numbers where all cells are."""
        text = [self.time_column, *([self.series_column] if self.series_column else [])]
        types = dict.fromkeys(text, pa.string()) | dict.fromkeys(self._variables or (), pa.float64())
        return csv.read_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(delimiter=self._delimiter),
            convert_options=csv.ConvertOptions(
                column_types=types,
                null_values=list(MISSING),
                strings_can_be_null=True,
                decimal_point=self._decimal,
                timestamp_parsers=[],
            ),
        )

    def _choose(self, table: pa.Table, path: Path) -> list[str]:
        """Names of the variables, after a check of all columns."""
        named = [self.time_column, *([self.series_column] if self.series_column else []), *(self._variables or [])]
        held = table.column_names
        if wrong := [name for name in named if held.count(name) != 1]:
            what = "has more than one column" if wrong[0] in held else "has no column"
            raise DataError(
                f"{path.name} {what} {wrong[0]}",
                where=str(path),
                details=[f"it has {name}" for name in held[:10]],
                fix="set data.reader.time, series and variables to names of columns",
            )
        if twice := sorted({name for name in held if held.count(name) > 1} - set(named)):
            raise DataError(f"{path.name} has more than one column {twice[0]}", where=str(path))
        variables = self._variables or [name for name in held if name not in named]
        if not variables:
            raise DataError(f"{path.name} has no column beside {' and '.join(named)}", where=str(path))
        return variables

    def _times(self, column: Any, path: Path) -> NDArray[np.datetime64]:
        where = f"{path}, column {self.time_column}"
        if column.null_count:
            row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + 1
            raise DataError(f"row {row} of {path.name} has no time", where=where)
        if pa.types.is_temporal(column.type):
            return np.asarray(_seconds(column))
        try:
            if self._time_format:
                return np.asarray(_seconds(pc.strptime(column.cast(pa.string()), self._time_format, "s")))
            return to_times([text.strip() for text in column.cast(pa.string()).to_pylist()])
        except (pa.ArrowException, SeriesError) as error:
            raise DataError(
                "a time cannot be read",
                where=where,
                why=str(error),
                fix='say how times are written, as data.reader.time_format="%d.%m.%Y %H:%M"',
            ) from error


def _seconds(column: Any) -> Any:
    """Timestamps and dates as datetime64[s]; those with a zone are in UTC already, and lose its name."""
    return column.cast(pa.timestamp("s", getattr(column.type, "tz", None)), safe=False).to_numpy()


def _floats(column: Any, name: str, path: Path) -> NDArray[np.float64]:
    """A column as float64, NaN where it is null."""
    try:
        if pa.types.is_temporal(column.type) or pa.types.is_boolean(column.type):
            raise pa.ArrowInvalid(f"it holds {column.type}")
        return np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowException as error:
        raise DataError(
            f"column {name} of {path.name} holds something that is no number",
            where=str(path),
            why=str(error),
            fix="name the columns to forecast in data.reader.variables, or correct the file",
        ) from error


def _groups(column: Any, name: str, path: Path) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Each distinct value with its rows, by first appearance."""
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + 1
        raise DataError(f"row {row} of {path.name} names no series", where=f"{path}, column {name}")
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(encoded.dictionary)))[:-1])
    yield from zip(encoded.dictionary.to_pylist(), parts, strict=True)
