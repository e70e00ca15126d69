"""Texts in the rows of a table (TSV, CSV, JSON Lines), or line by line in one file per class."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Len

from stagewise.data.readers.delimited import (
    Column,
    Delimited,
    JsonLines,
    Row,
    Table,
    check_encoding,
    kind_of,
    open_text,
    undecodable,
)
from stagewise.data.readers.files import find_one, locate, split_key, split_of
from stagewise.data.sample import Sample
from stagewise.errors import DataError

_DELIMITERS = {".tsv": "\t", ".tab": "\t", ".csv": ","}
_JSON = (".jsonl", ".ndjson")
_SUFFIXES = tuple(ending + packed for ending in (*_DELIMITERS, *_JSON) for packed in ("", ".gz"))
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class TextTableReader:
    """Texts and labels in the rows of a file, streamed.

    Labels are integers where every label of the files is one, else the text as written. A row that cannot be read is
    a sample with an error; blank lines are passed over.

    Args:
        file: the file below data/raw/, plain or .gz; the only table when null; {train: ..., test: ...} for several.
        text: column of the text; in JSON Lines its key.
        label: column of the label.
        split_column: column with train, validation or test, when the data is published so.
        header: whether the first line names the columns; without, columns are numbers.
        delimiter: what separates columns; by the file's ending when null (.csv: comma, .tsv: tab; .jsonl: none).
        quote: the sign around fields that hold delimiters or line breaks; null where it is a plain sign, and every line
            a row.
        encoding: of the files; a byte order mark is passed over.
        root: data/raw/.
    """

    def __init__(
        self,
        file: str | Mapping[str, str] | None = None,
        text: str | Annotated[int, Ge(1)] = "text",
        label: str | Annotated[int, Ge(1)] = "label",
        split_column: str | Annotated[int, Ge(1)] | None = None,
        header: bool = True,
        delimiter: Annotated[str, Len(1, 1)] | None = None,
        quote: Annotated[str, Len(1, 1)] | None = '"',
        encoding: str = "utf-8",
        *,
        root: Path,
    ) -> None:
        check_encoding(encoding)
        columns = {"text": text, "label": label, "split_column": split_column}
        for name, column in columns.items():
            if isinstance(column, int) and column < 1:
                raise DataError(f"there is no column {column}", where=f"data.reader.{name}", fix="count from 1")
        for name, sign in {"delimiter": delimiter, "quote": quote}.items():
            if sign is not None and (len(sign) != 1 or sign in "\r\n"):
                raise DataError(f"{sign!r} is not one sign", where=f"data.reader.{name}")
        if delimiter is not None and delimiter == quote:
            raise DataError(f"{quote!r} cannot both separate and wrap fields", where="data.reader.quote")
        self._file = file
        self._columns: dict[str, Column] = {name: column for name, column in columns.items() if column is not None}
        self._header = header
        self._delimiter = delimiter
        self._quote = quote
        self._encoding = encoding
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the rows in order.

        Raises:
            DataError: a file, a column or a delimiter is missing, a file is damaged, or a split is unknown.
        """
        tables = [(split, self._open(path)) for split, path in self._files()]
        labels = (row.values.get("label") for _, table in tables for row in table if row.error is None)
        integers = all(isinstance(label, str) and _INTEGER.fullmatch(label.strip() or "0") for label in labels)
        for split, table in tables:
            for row in table:
                yield self._sample(table, row, split, integers)

    def _files(self) -> list[tuple[str | None, Path]]:
        if isinstance(self._file, Mapping):
            return [(split_key(split), locate(self._root, name)) for split, name in self._file.items()]
        path = locate(self._root, self._file) if self._file else find_one(self._root, _SUFFIXES, "file")
        return [(None, path)]

    def _open(self, path: Path) -> Table:
        name = path.name.lower().removesuffix(".gz")
        suffix = Path(name).suffix
        if self._delimiter is None and suffix in _JSON:
            return JsonLines(path, self._encoding, self._columns)
        delimiter = self._delimiter or _DELIMITERS.get(suffix)
        if delimiter is None:
            raise DataError(
                f"what separates the columns of {path.name} is not known",
                where="data.reader.delimiter",
                fix=r'set data.reader.delimiter, e.g. to "\t"',
            )
        return Delimited(path, self._encoding, self._columns, delimiter, self._quote, self._header)

    def _sample(self, table: Table, row: Row, split: str | None, integers: bool) -> Sample:
        row_id = f"{table.path.relative_to(self._root).as_posix()}#{row.line}"
        text, label, error = row.values.get("text"), row.values.get("label"), row.error
        if error is None and text is not None and not isinstance(text, str):
            error = f"its text is {kind_of(text)}"
        if error is None and isinstance(label, (list, dict)):
            error = f"its label is {kind_of(label)}"
        if error is not None:
            return Sample(id=row_id, value=None, label=None, split=split, error=error)
        if isinstance(label, bool):
            label = str(label).lower()
        elif isinstance(label, str):
            label = label.strip()
            label = int(label) if label and integers else label or None
        return Sample(id=row_id, value=text, label=label, split=self._split(row, row_id) or split)

    def _split(self, row: Row, row_id: str) -> str | None:
        written = row.values.get("split_column")
        if written is None or not str(written).strip():
            return None
        split = split_of(written) if isinstance(written, str) else None
        if split is None:
            fix = "write train, validation or test, or leave data.reader.split_column out"
            raise DataError(
                f"{written!r} is no split", where=f"{row_id}, column {self._columns['split_column']}", fix=fix
            )
        return split


class TextLinesReader:
    """Files of one class each, with a text per line, streamed; blank lines are passed over.

    Args:
        classes: the file of each class below data/raw/, plain or .gz: {neg: a.txt, pos: b.txt}; where the data is
            published in splits, of each split: {train: {neg: ..., pos: ...}, test: {...}}.
        encoding: of the files; a byte order mark is passed over.
        root: data/raw/.
    """

    def __init__(
        self, classes: Mapping[str, str] | Mapping[str, Mapping[str, str]], encoding: str = "utf-8", *, root: Path
    ) -> None:
        check_encoding(encoding)
        kinds = {isinstance(value, Mapping) for value in classes.values()}
        if len(kinds) != 1:
            raise DataError(
                "the files of some classes lie in splits, of others not" if kinds else "no file is named",
                where="data.reader.classes",
                fix="write {neg: a.txt, pos: b.txt}, or {train: {neg: ..., pos: ...}, test: {...}}",
            )
        self._splits: list[tuple[str | None, Mapping[str, str]]] = []
        for name, value in classes.items() if kinds == {True} else [("all", classes)]:
            self._splits.append((split_key(name), value))  # type: ignore[arg-type]
        self._encoding = encoding
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the texts by split and class, as these are named in the config.

        Raises:
            DataError: a file is missing or damaged.
        """
        for split, files in self._splits:
            for label, name in files.items():
                path = locate(self._root, name)
                name = path.relative_to(self._root).as_posix()
                with open_text(path, self._encoding) as file:
                    for number, line in enumerate(file, start=1):
                        if text := line.strip():
                            error = undecodable(line, self._encoding)
                            value = None if error else text
                            yield Sample(id=f"{name}#{number}", value=value, label=label, split=split, error=error)
