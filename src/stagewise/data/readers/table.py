"""A CSV or Parquet table that names image files and their labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from stagewise.data.readers.files import find_one, inside, locate, split_of
from stagewise.data.sample import Sample
from stagewise.errors import DataError
from stagewise.runtime.image import decode

_ROWS = 4096  # of the table, in memory at a time
_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"


class TableReader:
    """Image files listed in a table; streamed.

    Labels are integers where every label of the table is one, else the text as written.

    Args:
        file: the .csv or .parquet file below data/raw/; the only one when null.
        path_column: column of the image files, relative to the folder of the table.
        label_column: column of the labels.
        split_column: column with train, validation or test, when the data is published so.
        root: data/raw/.
    """

    def __init__(
        self,
        file: str | None = None,
        path_column: str = "path",
        label_column: str = "label",
        split_column: str | None = None,
        *,
        root: Path,
    ) -> None:
        self._file = file
        self._columns = [path_column, label_column, *([split_column] if split_column else [])]
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the rows in order, then those that have the wrong number of columns.

        Raises:
            DataError: the table or a column is missing, the table is damaged, or a split is unknown.
        """
        endings = (".csv", ".csv.gz", ".parquet")
        table = locate(self._root, self._file) if self._file else find_one(self._root, endings, "file")
        integers = all(_all_integers(batch.column(1)) for batch in self._batches(table, []))
        name = table.relative_to(self._root).as_posix()
        number = 0
        broken: list[str] = []
        for batch in self._batches(table, broken):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield self._sample(f"{name}#{number}", table, row, integers)
        for index, reason in enumerate(broken, start=1):
            yield Sample(id=f"{name}#broken-{index}", value=None, label=None, error=reason)

    def _sample(self, row_id: str, table: Path, row: tuple[str | None, ...], integers: bool) -> Sample:
        path, label, split = row if len(row) == 3 else (*row, None)
        published = split_of(split) if split else None
        if split and published is None:
            fix = "write train, validation or test, or leave data.reader.split_column out"
            raise DataError(f"{split!r} is no split", where=f"{row_id}, column {self._columns[2]}", fix=fix)
        value, error = None, None
        image = inside(table.parent, path, self._root) if path else None
        if not path:
            error = "it names no file"
        elif image is None:
            error = f"{path} lies outside of {self._root.name}"
        elif not image.is_file():
            error = f"there is no file {path}"
        else:
            try:
                value = decode(image)
            except (ValueError, OSError) as failure:
                error = f"{path}: {failure}"
        known = None if not label else int(label) if integers else label
        return Sample(id=row_id, value=value, label=known, split=published, error=error)

    def _batches(self, table: Path, broken: list[str]) -> Iterator[pa.RecordBatch]:
        """Batches of the wanted columns as text; why rows are left out is added to ``broken``."""
        try:
            batches = _parquet_batches(table) if table.suffix == ".parquet" else _csv_batches(table, broken)
            for batch in batches:
                yield self._select(table, batch)
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            raise DataError(f"{table.name} cannot be read", where=str(table), why=str(error)) from error

    def _select(self, table: Path, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = batch.schema.names
        if wrong := [name for name in self._columns if names.count(name) != 1]:
            what = "has more than one column" if wrong[0] in names else "has no column"
            raise DataError(
                f"{table.name} {what} {wrong[0]}",
                where=str(table),
                details=[f"it has {name}" for name in names[:10]],
                fix="set data.reader.path_column, label_column and split_column to names of columns",
            )
        columns = [_strings(batch.column(names.index(name))) for name in self._columns]
        return pa.RecordBatch.from_arrays(columns, self._columns)


def _strings(column: Any) -> Any:
    """A column as text without blanks around it; null stays null."""
    if pa.types.is_floating(column.type):  # integers with gaps, as pandas writes them
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        whole = pc.all(pc.equal(column, pc.round(column))).as_py()
        column = column.cast(pa.int64()) if whole else column
    return pc.utf8_trim_whitespace(column.cast(pa.string()))


def _all_integers(column: Any) -> bool:
    filled = pc.or_kleene(pc.match_substring_regex(column, _INTEGER), pc.equal(column, ""))
    return pc.all(filled).as_py() is not False


def _parquet_batches(table: Path) -> Iterator[pa.RecordBatch]:
    with parquet.ParquetFile(table) as file:
        yield from file.iter_batches(_ROWS)


def _csv_batches(table: Path, broken: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches in which every column is text; rows with the wrong number of columns go to ``broken``."""

    def leave_out(row: Any) -> str:
        broken.append(f"it has {row.actual_columns} columns, {row.expected_columns} expected: {row.text[:80]}")
        return "skip"

    options = {
        "read_options": csv.ReadOptions(use_threads=False),
        "parse_options": csv.ParseOptions(invalid_row_handler=leave_out, newlines_in_values=True),
    }
    with csv.open_csv(table, **options) as probe:
        names = probe.schema.names
    broken.clear()
    types = dict.fromkeys(names, pa.string())
    text = csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    with csv.open_csv(table, convert_options=text, **options) as file:
        yield from file
