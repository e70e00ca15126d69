"""Rows of CSV and Parquet files, streamed, with the place of each."""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from stagewise.errors import DataError
from stagewise.runtime.table import RowError, clean

WHITESPACE = "whitespace"
"""The delimiter that is any run of blanks and tabs."""
_ROWS = 4096  # of a Parquet file, in memory at a time

Row = tuple[int, list[Any] | str]
"""Number (of the line in a text file, of the row in a Parquet file, from 1) and cells, or why there are none."""


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How a text file is written.

    Attributes:
        names: of the columns; the first line names them when None.
        delimiter: one character, or WHITESPACE.
        quote: the character around cells that hold delimiters; None where a quote is a letter like any other.
        skip: lines to pass over at the head.
        comment: lines that start with this are passed over.
    """

    names: tuple[str, ...] | None = None
    delimiter: str = ","
    quote: str | None = '"'
    skip: int = 0
    comment: str | None = None
    encoding: str = "utf-8"


@contextmanager
def open_table(path: Path, layout: TextLayout) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """The names of the columns, and the rows: cells are text without blanks around it, None where it is blank.

    Of a Parquet file (``.parquet``) cells are text, int, float, bool or None; dates are ISO text. A row with the
    wrong number of cells, or with bytes that are no text, has a reason instead of cells.

    Raises:
        DataError: the file is damaged, empty, or names a column twice.
    """
    opened = _parquet_table(path) if path.suffix == ".parquet" else _text_table(path, layout)
    with _told(path), opened as (names, rows):
        _check_names(path, names)
        yield names, rows


@contextmanager
def _parquet_table(path: Path) -> Iterator[tuple[list[str], Iterator[Row]]]:
    with parquet.ParquetFile(path) as file:
        yield list(file.schema_arrow.names), _parquet_rows(file)


def _parquet_rows(file: parquet.ParquetFile) -> Iterator[Row]:
    number = 0
    for batch in file.iter_batches(_ROWS):
        for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            number += 1
            yield number, _cleaned(cells, batch.schema.names)


def _cleaned(cells: Iterable[Any], names: list[str]) -> list[Any] | str:
    values = []
    for name, cell in zip(names, cells, strict=True):
        try:
            values.append(clean(cell))
        except RowError as error:
            return f"column {name!r}: {error}"
    return values


@contextmanager
def _text_table(path: Path, layout: TextLayout) -> Iterator[tuple[list[str], Iterator[Row]]]:
    encoding = "utf-8-sig" if layout.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else layout.encoding
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding=encoding, errors="surrogateescape", newline="") as file:
        rows = _text_rows(file, layout)
        names = list(layout.names) if layout.names is not None else _header(path, rows, layout)
        yield names, (_fit(row, len(names), layout) for row in rows)


class _Lines:
    """The lines of a file without its head and comments, which are sought only where a row may begin."""

    def __init__(self, file: IO[str], skip: int, comment: str | None) -> None:
        self._file, self._comment = file, comment
        self._number = sum(1 for _ in zip(range(skip), file, strict=False))
        self.begins = True
        self.begin = self._number

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self._number += 1
            if self.begins and self._comment is not None and line.startswith(self._comment):
                continue
            if self.begins:
                self.begin, self.begins = self._number, False
            yield line


def _text_rows(file: IO[str], layout: TextLayout) -> Iterator[Row]:
    lines = _Lines(file, layout.skip, layout.comment)
    rows = _split(lines, layout)
    while True:
        lines.begins = True
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield lines.begin, f"it is no row of a CSV file ({error})"
            continue
        if any(cells):
            yield lines.begin, cells


def _split(lines: Iterable[str], layout: TextLayout) -> Iterator[list[str]]:
    if layout.delimiter == WHITESPACE:
        return (line.split() for line in lines)
    return csv.reader(
        lines,
        delimiter=layout.delimiter,
        quotechar=layout.quote,
        quoting=csv.QUOTE_NONE if layout.quote is None else csv.QUOTE_MINIMAL,
        skipinitialspace=True,
        strict=True,
    )


def _header(path: Path, rows: Iterator[Row], layout: TextLayout) -> list[str]:
    number, cells = next(rows, (1, "it is empty"))
    reason = cells if isinstance(cells, str) else _why_no_text(cells, layout.encoding)
    if isinstance(cells, str) or reason:
        raise DataError(
            f"the columns of {path.name} cannot be known",
            where=f"{path}:{number}",
            why=reason,
            fix="its first line names them; or set data.reader.names, delimiter or encoding",
        )
    # pandas writes the column of the row numbers without a name.
    return [name.strip() or f"column {place}" for place, name in enumerate(cells, start=1)]


def _fit(row: Row, width: int, layout: TextLayout) -> Row:
    number, cells = row
    if isinstance(cells, str):
        return row
    if len(cells) != width:
        return number, f"{len(cells)} columns, {width} expected: {layout.delimiter.join(cells)[:80]}"
    return number, _why_no_text(cells, layout.encoding) or [cell.strip() or None for cell in cells]


def _why_no_text(cells: list[str], encoding: str) -> str | None:
    text = "".join(cells)
    if "\0" in text:
        return "it holds a NUL character"
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # what ``surrogateescape`` left of bytes that could not be decoded
            return f"it holds bytes that are no {encoding} text"
    return None


def _check_names(path: Path, names: list[str]) -> None:
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise DataError(
            f"{path.name} has more than one column {twice[0]!r}", where=str(path), fix="give every column its own name"
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong while a file is read, as a DataError."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeError) as error:
        why = str(error) or type(error).__name__
        raise DataError(f"{path.name} cannot be read", where=str(path), why=why) from error
