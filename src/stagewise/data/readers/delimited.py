"""The rows of delimited text and of JSON Lines, each with what is wrong with it."""

import codecs
import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stagewise.errors import DataError

_LONGEST_FIELD = 1 << 30  # characters; the csv module's own limit is 131,072

Column = str | int
"""The name of a column, or its number counted from 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        line: at which it begins, counted from 1.
        values: by the names that the table's columns were given; empty where there is an error.
        error: why it cannot be read.
    """

    line: int
    values: Mapping[str, Any]
    error: str | None = None


class Table:
    """A file whose rows can be read more than once, one at a time; blank lines are passed over.

    Args:
        path: plain or .gz.
        encoding: a byte order mark is passed over.
        columns: the wanted columns, by the names under which rows give them.
    """

    def __init__(self, path: Path, encoding: str, columns: Mapping[str, Column]) -> None:
        self.path = path
        self._encoding = encoding
        self._columns = columns

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in order.

        Raises:
            DataError: the file is damaged, or a column is missing.
        """
        with open_text(self.path, self._encoding) as file:
            yield from self._rows(file)

    def _rows(self, lines: IO[str]) -> Iterator[Row]:
        raise NotImplementedError


class JsonLines(Table):
    """A JSON object per line, whose keys are the columns; a row may lack the one named ``split_column``."""

    def _rows(self, lines: IO[str]) -> Iterator[Row]:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield self._row(number, line)

    def _row(self, number: int, line: str) -> Row:
        if error := undecodable(line, self._encoding):
            return Row(number, {}, error)
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            return Row(number, {}, f"it is no JSON ({error})")
        if not isinstance(record, dict):
            return Row(number, {}, f"it is {kind_of(record)}, not an object with keys")
        missing = [str(key) for name, key in self._columns.items() if key not in record and name != "split_column"]
        if missing:
            return Row(number, {}, f"it has no key {' and no '.join(missing)}")
        return Row(number, {name: record.get(str(key)) for name, key in self._columns.items()})


class Delimited(Table):
    """Columns between delimiters.

    Args:
        delimiter: one character.
        quote: what wraps fields that hold delimiters or line breaks; with None a line is a row, whatever is in it.
        header: whether the first line names the columns.
    """

    def __init__(
        self,
        path: Path,
        encoding: str,
        columns: Mapping[str, Column],
        delimiter: str,
        quote: str | None,
        header: bool,
    ) -> None:
        super().__init__(path, encoding, columns)
        self._delimiter, self._quote, self._header = delimiter, quote, header

    def _rows(self, lines: IO[str]) -> Iterator[Row]:
        records = self._plain(lines) if self._quote is None else self._quoted(lines)
        places: dict[str, int] | None = None
        width = 0
        for line, fields, error in records:
            if places is None and (error is None or self._header):
                places, width = self._first(fields, error)
                if self._header:
                    continue
            if error is None and len(fields) != width:
                error = f"it has {len(fields)} columns, {width} expected"
            values = {} if error else {name: fields[place] for name, place in (places or {}).items()}
            yield Row(line, values, error)
        if places is None:
            raise DataError(f"{self.path.name} is empty", where=str(self.path))

    def _first(self, first: list[str], error: str | None) -> tuple[dict[str, int], int]:
        """Place of each column that is wanted, and how many columns there are."""
        if error is not None:
            raise DataError(f"the first line of {self.path.name} cannot be read", where=str(self.path), why=error)
        places = {}
        for name, column in self._columns.items():
            if isinstance(column, str):
                place = first.index(column) if self._header and first.count(column) == 1 else -1
            else:
                place = column - 1
            if not 0 <= place < len(first):
                raise self._missing(name, column, first)
            places[name] = place
        return places, len(first)

    def _missing(self, name: str, column: Column, first: list[str]) -> DataError:
        twice = isinstance(column, str) and first.count(column) > 1
        named = self._header or isinstance(column, int)
        return DataError(
            f"{self.path.name} has {'more than one' if twice else 'no'} column {column}",
            where=str(self.path),
            why=None if named else "data.reader.header is false: columns have numbers, counted from 1",
            details=[f"column {number} is {field[:40]!r}" for number, field in enumerate(first[:10], start=1)],
            fix=f"set data.reader.{name} to a name or a number of these",
        )

    def _plain(self, lines: IO[str]) -> Iterator[tuple[int, list[str], str | None]]:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, line.rstrip("\r\n").split(self._delimiter), undecodable(line, self._encoding)

    def _quoted(self, lines: IO[str]) -> Iterator[tuple[int, list[str], str | None]]:
        reader = csv.reader(lines, delimiter=self._delimiter, quotechar=self._quote, strict=True)
        while True:
            line = reader.line_num + 1
            limit = csv.field_size_limit(_LONGEST_FIELD)  # one for the whole process, which other readers rely on
            try:
                fields = next(reader, None)
                error = None if fields is None else undecodable(self._delimiter.join(fields), self._encoding)
            except csv.Error as failure:
                fields, error = [], str(failure)
                if "unexpected end of data" in error:
                    raise self._unclosed(line) from failure
                if reader.line_num > line:
                    error = f"lines {line} to {reader.line_num}: {error}"
            finally:
                csv.field_size_limit(limit)
            if fields is None:
                return
            if error or len(fields) > 1 or "".join(fields).strip():
                yield line, fields, error

    def _unclosed(self, line: int) -> DataError:
        return DataError(
            f"a {self._quote} in {self.path.name} is never closed",
            where=f"{self.path}, line {line}",
            why="all that follows would be one text",
            fix="close it, or set data.reader.quote=null if it is a plain sign in this file",
        )


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[IO[str]]:
    """The file as text; bytes that are not in the encoding become lone surrogates, lines end at line feeds only.

    Raises:
        DataError: the file is damaged, or its encoding cannot say which bytes are wrong.
    """
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    name = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    try:
        with opener(path, "rt", encoding=name, errors="surrogateescape", newline="\n") as file:
            yield file
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        raise DataError(
            f"{path.name} cannot be read",
            where=str(path),
            why=str(error) or type(error).__name__,
            fix="get the file again, or set data.reader.encoding to what it is written in",
        ) from error


def undecodable(text: str, encoding: str) -> str | None:
    """Why a text of ``open_text`` is not of its encoding; None where it is."""
    if text.isascii():
        return None
    wrong = next((ord(sign) for sign in text if "\udc80" <= sign <= "\udcff"), None)
    return None if wrong is None else f"the byte 0x{wrong - 0xDC00:02x} is not {encoding}"


def check_encoding(encoding: str) -> None:
    """Raise a DataError unless Python knows the encoding."""
    try:
        "".encode(encoding)
    except (LookupError, UnicodeError, ValueError) as error:
        raise DataError(
            f"there is no encoding {encoding!r}", where="data.reader.encoding", fix="e.g. utf-8, latin-1 or cp1252"
        ) from error


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
