"""Rows of CSV and Parquet tables: each row is one input, one of its columns is the label."""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from stagewise.data.readers.files import find_one, locate, split_key, split_of
from stagewise.data.sample import Sample
from stagewise.data.tables.rows import WHITESPACE, TextLayout, open_table
from stagewise.errors import ConfigError, DataError
from stagewise.runtime.table import nearest

_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
_INTEGER = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)


class ColumnsReader:
    """Yields every row as a mapping of column to value; streamed.

    Values of a text file are text, as published; None is an empty cell; a row of empty
    cells only is passed over. Labels are integers where every label of all
    files is one, else the text as written (``data.target`` makes numbers of it where numbers are to be predicted).
    The id of a row is ``file#line`` (``file#row`` of a Parquet file).

    Args:
        files: the file or files below data/raw/, of each published split: ``{train: a.data, test: [b.csv, c.csv]}``;
            ``all`` for rows that are yet to be divided. A single name means ``all``; null the only table there is.
            ``.parquet`` is Parquet, any other ending text, ``.gz`` may follow.
        label: the column of the labels.
        drop: columns to leave out as if they had not been published. (One that ``data.feature`` drops does not reach
            the network either, but rows that differ in it are not duplicates.)
        split_column: column with train, validation or test, when the data is published so.
        names: of the columns, where the first line does not name them.
        delimiter: one character, or "whitespace"; null: a tab in ``.tsv``, else a comma.
        quote: the character around cells that hold delimiters; null: none is.
        skip: lines to pass over at the head of each file, before the names.
        comment: lines that start with this are passed over.
        encoding: of text files.
        no_label: labels that say that there is none.
        strip_label: an ending to cut off labels.
        rename_labels: other names for labels, after that.
        root: data/raw/.

    Raises:
        ConfigError: an argument cannot be.
    """

    def __init__(
        self,
        files: Mapping[str, str | list[str]] | str | None = None,
        label: str = "label",
        drop: Sequence[str] = (),
        split_column: str | None = None,
        names: Sequence[str] | None = None,
        delimiter: str | None = None,
        quote: str | None = '"',
        skip: Annotated[int, Ge(0)] = 0,
        comment: str | None = None,
        encoding: str = "utf-8",
        no_label: Sequence[str] = ("", "?"),
        strip_label: str = "",
        rename_labels: Mapping[str, str] | None = None,
        *,
        root: Path,
    ) -> None:
        _check(delimiter, quote, skip, encoding)
        self._files, self._root = files, Path(root)
        self._label, self._split_column = label, split_column
        self._drop = tuple(drop)
        self._delimiter = delimiter
        columns = None if names is None else tuple(names)
        self._layout = TextLayout(columns, delimiter or ",", quote, skip, comment, encoding)
        self._no_label, self._ending, self._renamed = frozenset(no_label), strip_label, dict(rename_labels or {})

    def __iter__(self) -> Iterator[Sample]:
        """Yield the rows of the files in order.

        Raises:
            DataError: a file or column is missing, files have different columns, or a split is unknown.
        """
        places = list(self._places())
        integers = self._labels_are_integers(places)
        columns: list[str] | None = None
        for split, path in places:
            name = path.relative_to(self._root).as_posix()
            with open_table(path, self._text(path)) as (names, rows):
                inputs = self._inputs(path, names)
                columns = columns or inputs
                _check_same(path, columns, inputs)
                for number, cells in rows:
                    row_id = f"{name}#{number}"
                    if isinstance(cells, str):
                        yield Sample(id=row_id, value=None, label=None, split=split, error=cells)
                    else:
                        row = dict(zip(names, cells, strict=True))
                        yield self._sample(row_id, row, columns, split, integers)

    def _sample(
        self, row_id: str, row: dict[str, Any], columns: list[str], split: str | None, integers: bool
    ) -> Sample:
        label = self._read_label(row[self._label])
        if integers and isinstance(label, str):
            label = int(label)
        if self._split_column is not None:
            split = _published(row[self._split_column], f"{row_id}, column {self._split_column}") or split
        return Sample(id=row_id, value={name: row[name] for name in columns}, label=label, split=split)

    def _read_label(self, value: Any) -> str | int | float | None:
        if isinstance(value, bool):
            return int(value)
        if not isinstance(value, str):
            return None if value is None else value  # a number of a Parquet file
        label = value.removesuffix(self._ending).rstrip()
        return None if label in self._no_label else self._renamed.get(label, label)

    def _labels_are_integers(self, places: list[tuple[str | None, Path]]) -> bool:
        """Whether every label is an integer; stops at the first that is none."""
        for _, path in places:
            with open_table(path, self._text(path)) as (names, rows):
                self._inputs(path, names)
                place = names.index(self._label)
                for _, cells in rows:
                    label = None if isinstance(cells, str) else self._read_label(cells[place])
                    if isinstance(label, str) and not _INTEGER.fullmatch(label):
                        return False
        return True

    def _places(self) -> Iterator[tuple[str | None, Path]]:
        """Split and path of every file."""
        if self._files is None:
            yield None, find_one(self._root, _ENDINGS, "files")
            return
        files = {"all": self._files} if isinstance(self._files, str) else self._files
        for key, given in files.items():
            for name in [given] if isinstance(given, str) else given:
                yield split_key(key), locate(self._root, name)

    def _text(self, path: Path) -> TextLayout:
        tabs = self._delimiter is None and ".tsv" in path.suffixes[-2:]
        return replace(self._layout, delimiter="\t") if tabs else self._layout

    def _inputs(self, path: Path, names: list[str]) -> list[str]:
        """The columns that are inputs; every column that the config names must exist."""
        special = [self._label, *([self._split_column] if self._split_column else []), *self._drop]
        for name in special:
            if name not in names:
                near = nearest(name, names)
                hint = f"; did you mean {near!r}?" if near else ""
                alone = ", and data.reader.delimiter, which finds one column only" if len(names) == 1 else ""
                raise DataError(
                    f"{path.name} has no column {name!r}{hint}",
                    where=str(path),
                    details=[f"it has {name!r}" for name in names[:10]],
                    fix=f"correct the names in data.reader{alone}",
                )
        inputs = [name for name in names if name not in special]
        if not inputs:
            raise DataError(f"{path.name} has no column but the label", where=str(path))
        return inputs


def _check(delimiter: str | None, quote: str | None, skip: int, encoding: str) -> None:
    if delimiter is not None and delimiter != WHITESPACE and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise ConfigError(
            f"{delimiter!r} is no delimiter",
            where="data.reader.delimiter",
            fix=f"one character, or {WHITESPACE} for any run of blanks",
        )
    if quote is not None and (len(quote) != 1 or quote in "\r\n " or quote == delimiter):
        raise ConfigError(f"{quote!r} is no quote", where="data.reader.quote", fix="one character, or null")
    if skip < 0:
        raise ConfigError(f"{skip} lines cannot be passed over", where="data.reader.skip")
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise ConfigError(
            f"there is no encoding {encoding!r}", where="data.reader.encoding", fix="e.g. utf-8, cp1252 or utf-16"
        ) from error


def _check_same(path: Path, first: list[str], columns: list[str]) -> None:
    if sorted(first) != sorted(columns):
        raise DataError(
            f"{path.name} has not the columns of the files before it",
            where=str(path),
            details=[f"it lacks {name!r}" for name in first if name not in columns]
            + [f"only it has {name!r}" for name in columns if name not in first],
            fix="name the columns alike, or leave out with data.reader.drop what only one of them has",
        )


def _published(value: Any, where: str) -> str | None:
    if value is None:
        return None
    split = split_of(str(value))
    if split is None:
        fix = "write train, validation or test, or leave data.reader.split_column out"
        raise DataError(f"{value!r} is no split", where=where, fix=fix)
    return split
