"""Rows of a table to the vectors that a model takes: the same code in training and in the package.

This file is copied next to a package's predictor, so it imports only the standard library and numpy.
"""

import csv
import datetime
import decimal
import difflib
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REQUIREMENTS: tuple[str, ...] = ()
"""Beside numpy and onnxruntime."""
WHAT = "CSV, JSON or JSON Lines files with a row per line, or a row such as '{\"column\": value, ...}'"
"""What the command line takes."""
SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json")
"""Endings of the files that are read; .gz may follow."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_UNSEEN = 1000
"""Most unknown categories that a Reader remembers."""

Row = dict[str, Any]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d:?\d\d))?)?", re.ASCII)
_LIMIT = 2.0**128 * (1 - 2.0**-25)  # what is below is rounded to a finite float32
_EPOCH = datetime.date(1970, 1, 1)
_DELIMITERS = ",;\t|"
_DAMAGE = (UnicodeDecodeError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile)


class RowError(ValueError):
    """A value or row that cannot be used.

    Attributes:
        check: ``readable``, or ``missing`` where there is nothing to use.
    """

    def __init__(self, reason: str, check: str = "readable") -> None:
        super().__init__(reason)
        self.check = check


def clean(value: Any, na: Iterable[str] = ()) -> str | float | int | bool | None:
    """A value of one of JSON's types: text without blanks around it, dates in ISO notation, None for missing.

    Missing are None, NaN, blank text and the texts of ``na``.

    Raises:
        RowError: it is infinite, or no single value.
    """
    if isinstance(value, np.generic) and not isinstance(value, str):
        value = value.item()
    if isinstance(value, str):
        text = value.strip()
        return None if not text or text in na else text
    if isinstance(value, float):
        if math.isinf(value):
            raise RowError("it is infinite")
        return None if math.isnan(value) else value
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (datetime.datetime, datetime.date)):
        # The NaT of pandas is a datetime that is not equal to itself.
        return value.isoformat() if value == value else None
    if isinstance(value, decimal.Decimal):
        return clean(str(value), (*na, "NaN"))
    raise RowError(f"a {type(value).__name__} is no single value")


def to_number(value: str | float | int | bool) -> float:
    """A finite number that float32 can hold; text in plain notation: ``-12``, ``0.5``, ``1e-3``.

    Raises:
        RowError: it is none.
    """
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise RowError(f"{_short(value)} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) < _LIMIT:
        raise RowError(f"{_short(value)} is beyond the range of float32")
    return number


def to_moment(value: Any) -> datetime.datetime:
    """A date with or without a time, in ISO notation: ``2026-01-31``, ``2026-01-31T12:00:00Z``.

    One with an offset is brought to UTC; one without is taken as it is.

    Raises:
        RowError: it is none.
    """
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise RowError(f"{_short(value)} is no date such as 2026-01-31 or 2026-01-31T12:00")
    try:
        moment = datetime.datetime.fromisoformat(value.replace(" Z", "Z").replace(" +", "+").replace(" -", "-"))
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise RowError(f"{_short(value)} is no date ({error})") from error
    return moment


def to_days(moment: datetime.datetime) -> int:
    """Whole days since 1970-01-01, exact in float32 for every year."""
    return (moment.date() - _EPOCH).days


def to_part(moment: datetime.datetime, part: str) -> str:
    """The ``month`` (1 to 12), ``weekday`` (English) or ``hour`` (0 to 23) as a category."""
    if part == "weekday":
        return WEEKDAYS[moment.weekday()]
    return str(moment.month if part == "month" else moment.hour)


def to_texts(value: str | float | int | bool) -> tuple[str, ...]:
    """The ways in which a category may be written; the first is how it is kept where no other is known."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        name = str(value)
        return name.lower(), name, name.upper(), str(int(value))
    if isinstance(value, int) or value.is_integer():
        return str(int(value)), f"{int(value)}.0"
    return (repr(value),)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The most similar of some names, whatever the case of their letters; None if none is."""
    lower = {other.lower(): other for other in names}
    found = difflib.get_close_matches(name.lower(), lower, 1)
    return lower[found[0]] if found else None


class Reader:
    """Reads rows as the entry of schema.json says.

    Args:
        feature: the entry; of it ``columns``, ``dropped`` and ``na`` are used.
    """

    def __init__(self, feature: Mapping[str, Any]) -> None:
        self._na = frozenset(feature["na"])
        self._columns = [(column["source"], self._converter(column)) for column in feature["columns"]]
        self._codes = [column["codes"] for column in feature["columns"]]
        self._sources = list(dict.fromkeys(source for source, _ in self._columns))
        self._dropped = frozenset(feature["dropped"])
        self._unseen: dict[str, None] = {}  # in the order of their first appearance

    @property
    def unseen(self) -> list[str]:
        """The categories that the model does not know, of all rows encoded so far: ``column: category``."""
        return list(self._unseen)

    def read(self, item: str) -> Iterator[tuple[str, Any]]:
        """Yield (name, row) of a file of rows, or of a row written out in JSON.

        Of a file, columns beside those of the model (a label, an id) are passed over. A line that is no row is
        given as the RowError that ``encode`` will raise.

        Raises:
            ValueError: it is neither, or its first line does not name columns.
            OSError: the file cannot be opened.
        """
        if item.lstrip().startswith(("{", "[")):
            yield from _json_rows("row", item)
            return
        path = Path(item)
        stem = path.name.lower().removesuffix(".gz")
        if not stem.endswith(SUFFIXES):
            raise ValueError(f"neither a row in JSON nor a file ending in {', '.join(SUFFIXES)}")
        try:
            with _open(path) as file:
                if stem.endswith(".json"):
                    rows = _json_rows(item, file.read())
                elif stem.endswith((".jsonl", ".ndjson")):
                    rows = _json_lines(item, file)
                else:
                    rows = _csv_rows(item, file, self._sources)
                for name, row in rows:
                    yield name, self._relevant(row)
        except _DAMAGE as error:
            raise ValueError(f"it cannot be read ({error})") from error

    def encode(self, value: Any) -> NDArray[np.float32]:
        """One row, float32 ``(F,)``.

        Args:
            value: a mapping of column to value; JSON of one (text or bytes); a file of one row; or the encoded row
                itself.

        Raises:
            RowError: (a ValueError) a column is missing or unknown, or a value is not of its column's type.
            ValueError: there is no such row.
        """
        if isinstance(value, np.ndarray):
            return self._vector(value)
        row = self._row(value)
        self._check_names(row)
        vector = np.empty(len(self._columns), np.float32)
        for place, (source, convert) in enumerate(self._columns):
            try:
                vector[place] = convert(clean(row[source], self._na))
            except RowError as error:
                raise RowError(f"column {source!r}: {error}", error.check) from None
        return vector

    def stack(self, rows: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """One batch, float32 ``(n, F)``."""
        return np.stack(rows)

    def _converter(self, column: Mapping[str, Any]) -> Callable[[Any], float]:
        """What turns a clean value of the column into its number."""
        if column["type"] == "number":
            return lambda value: math.nan if value is None else to_number(value)
        if column["type"] == "date":
            return lambda value: math.nan if value is None else to_days(to_moment(value))
        codes = {text: code for code, text in enumerate(column["categories"], start=1)}
        name, part, missing = column["name"], column["part"], column["missing_code"] or 0

        def to_code(value: Any) -> int:
            if value is None:
                return int(missing)
            texts = to_texts(value) if part is None else (to_part(to_moment(value), part),)
            for text in texts:
                if text in codes:
                    return codes[text]
            self._note(name, texts[0])
            return 0

        return to_code

    def _note(self, name: str, text: str) -> None:
        if len(self._unseen) < MOST_UNSEEN:
            self._unseen[f"{name}: {text}"] = None

    def _row(self, value: Any) -> Mapping[str, Any]:
        if isinstance(value, bytes):
            value = value.decode("utf-8-sig")
        if isinstance(value, (str, Path)):
            rows = [row for _, row in self.read(str(value))]
            if len(rows) != 1:
                raise RowError(f"{len(rows)} rows, where one is expected")
            value = rows[0]
        if isinstance(value, RowError):
            raise value
        if not isinstance(value, Mapping):
            raise RowError(f"a row is a mapping of column to value, not {type(value).__name__}")
        return value

    def _relevant(self, row: Any) -> Any:
        """A row of a file without the columns that are none of the model's, if it has all that are."""
        if isinstance(row, dict) and all(source in row for source in self._sources):
            return {source: row[source] for source in self._sources}
        return row

    def _check_names(self, row: Mapping[str, Any]) -> None:
        missing = [name for name in self._sources if name not in row]
        unknown = [str(name) for name in row if name not in self._sources and name not in self._dropped]
        if missing:
            near = nearest(missing[0], unknown)
            raise RowError(
                f"there is no column {missing[0]!r}"
                + (f"; is {near!r} meant for it?" if near else "; a value that is not known is given as null")
            )
        if unknown:
            near = nearest(unknown[0], self._sources)
            known = f"the nearest is {near!r}" if near else f"there are {', '.join(self._sources)}"
            raise RowError(f"unknown column {unknown[0]!r}; {known}")

    def _vector(self, value: NDArray[Any]) -> NDArray[np.float32]:
        """An encoded row, checked."""
        if value.shape != (len(self._columns),) or value.dtype.kind not in "fiu":
            raise RowError(
                f"an encoded row is float32 of shape ({len(self._columns)},), not {value.dtype} {value.shape}"
            )
        vector = value.astype(np.float32)
        for (source, _), codes, number in zip(self._columns, self._codes, vector.tolist(), strict=True):
            if math.isinf(number) or (codes and not (0 <= number < codes and number.is_integer())):
                raise RowError(f"column {source!r}: {number:g} is no " + (f"code below {codes}" if codes else "number"))
        return vector


def to_record(row: NDArray[np.float32], feature: Mapping[str, Any]) -> dict[str, str | float | int | None]:
    """The columns of the table with the values that an encoded row ``(F,)`` stands for; None where one is missing."""
    sources: dict[str, list[tuple[Mapping[str, Any], float]]] = {}
    for column, number in zip(feature["columns"], row, strict=True):
        sources.setdefault(column["source"], []).append((column, number))
    return {source: _value(entries) for source, entries in sources.items()}


def save_example(row: NDArray[np.float32], feature: Mapping[str, Any], path: Path) -> str:
    """Write an encoded row as a .json file of column: value, which encodes to the same row again.

    Of a date the time is written to the hour; a category that has no code of its own as "(other)".

    Args:
        path: without its suffix.

    Returns:
        The name of the file.
    """
    values = to_record(row, feature)
    file = path.with_name(f"{path.name}.json")
    file.write_text(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return file.name


def _value(entries: list[tuple[Mapping[str, Any], Any]]) -> str | float | int | None:
    """What to write for the stored columns of one source."""
    column, number = entries[0]
    if column["type"] == "date" or column["part"]:
        return _date(entries)
    if column["type"] == "number":
        if np.isnan(number):
            return None
        shortest = float(str(np.float32(number)))  # the fewest digits that give the same float32
        plain = shortest.is_integer() and abs(shortest) < 1e15 and str(shortest) != "-0.0"
        return int(shortest) if plain else shortest
    return _category(column, int(number))


def _category(column: Mapping[str, Any], code: int) -> str | None:
    if code == column["missing_code"]:
        return None
    if code > 0:
        return str(column["categories"][code - 1])
    other = "(other)"
    while other in column["categories"]:
        other = f"({other})"
    return other


def _date(entries: list[tuple[Mapping[str, Any], Any]]) -> str | None:
    """The day, and an hour where that matters."""
    days = next((number for column, number in entries if column["type"] == "date"), np.float32(0))
    hours = [(column, int(code)) for column, code in entries if column["part"] == "hour"]
    if np.isnan(days) or any(code == column["missing_code"] for column, code in hours):
        return None
    day = (_EPOCH + datetime.timedelta(days=int(days))).isoformat()
    for column, code in hours:
        known = column["categories"]
        hour = known[code - 1] if code else next((str(hour) for hour in range(24) if str(hour) not in known), None)
        return None if hour is None else f"{day}T{int(hour):02}:00"
    return day


def _open(path: Path) -> io.TextIOBase:
    if path.name.lower().endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _csv_rows(item: str, file: Iterable[str], known: list[str]) -> Iterator[tuple[str, Any]]:
    """Rows by line number; the delimiter is that which makes most of the first line names of columns."""
    lines = iter(file)
    first = next(lines, "")
    headers = [[name.strip() for name in next(csv.reader([first], delimiter=mark), [])] for mark in _DELIMITERS]
    names = max(headers, key=lambda names: len(set(names) & set(known)))
    if not set(names) & set(known):
        raise ValueError(f"its first line names none of the columns {', '.join(known)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"more than one column is named {', '.join(twice)}")
    rows = csv.reader(lines, delimiter=_DELIMITERS[headers.index(names)], skipinitialspace=True, strict=True)
    number = 2
    for cells in rows:
        if len(cells) == len(names):
            yield f"{item}#{number}", dict(zip(names, cells, strict=True))
        elif cells:
            yield f"{item}#{number}", RowError(f"{len(cells)} columns, {len(names)} expected")
        number = rows.line_num + 2


def _json_rows(name: str, text: str) -> Iterator[tuple[str, Any]]:
    """The row of an object, or the rows of a list."""
    content = _parse(text)
    if not isinstance(content, list):
        yield name, content
        return
    for number, row in enumerate(content, start=1):
        yield f"{name}#{number}", row


def _json_lines(item: str, file: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield f"{item}#{number}", _parse(line)
            except RowError as error:
                yield f"{item}#{number}", error


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RowError(f"it is no JSON ({error})") from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
