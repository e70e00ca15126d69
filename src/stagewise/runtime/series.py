"""The last window of a time series, as a model takes it: the same code in training and in the package.

This file is copied next to a package's predictor, so it imports only the standard library and numpy.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

REQUIREMENTS: tuple[str, ...] = ()
"""Beside numpy and onnxruntime."""
WHAT = "CSV files with a row per time step and a column per variable, whose last rows are forecast from"
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-")
"""Texts that say that a value is missing."""
CYCLES = ("hour", "weekday", "day", "month", "yearday")
"""Calendar features by name, each two columns, the sine and cosine of where in its cycle a time lies."""

Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_MONTHS = {"mo": 1, "y": 12}
_STEP = re.compile(r"([1-9][0-9]{0,8})(s|min|h|d|w|mo|y)", re.ASCII)
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.0+)?)?)?)?)?", re.ASCII)
_OFFSET = re.compile(r"(.+\d\d:\d\d(?::\d\d(?:\.0+)?)?) ?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_YEAR_DAYS = 365.2425
_DELIMITERS = ",;\t|"
_DAMAGE = (UnicodeDecodeError, csv.Error, EOFError, zlib.error, gzip.BadGzipFile)


class SeriesError(ValueError):
    """A series that cannot be used; the message says where and why."""


class Step(NamedTuple):
    """Distance of neighbouring steps: ``size`` seconds ("s"), months ("mo"), or rows whatever their times ("row")."""

    size: int
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows of one series.

    Attributes:
        values: float64 ``(n, V)``, NaN where a value is missing.
        times: of the rows, or None where they are not known.
        calendar: float64 ``(n, 2 * features)`` of rows whose times are not known, or None.
    """

    values: Floats
    times: Times | None = None
    calendar: Floats | None = None


def parse_step(text: str) -> Step:
    """A step from its notation: ``15min``, ``1h``, ``1d``, ``1w``, ``1mo``, ``1y``; or ``row``.

    Raises:
        SeriesError: it is none.
    """
    if text == "row":
        return Step(1, "row")
    found = _STEP.fullmatch(text)
    if found is None:
        raise SeriesError(f"{text!r} is no step such as 15min, 1h, 1d, 1mo, or row")
    count, unit = int(found[1]), found[2]
    return Step(count * _MONTHS[unit], "mo") if unit in _MONTHS else Step(count * _SECONDS[unit], "s")


def to_times(texts: Sequence[str]) -> Times:
    """Times from ISO notation: ``1949``, ``1949-01``, ``1949-01-31``, ``1949-01-31 12:00``, with seconds or not.

    One with an offset is brought to UTC; one without is taken as it is.

    Raises:
        SeriesError: a text is none of these, or finer than a second.
    """
    plain = [text if _TIME.fullmatch(text) else _to_utc(text) for text in texts]
    try:
        return np.array(plain, "datetime64[s]")
    except ValueError as error:
        raise SeriesError(f"a time that does not exist ({error})") from error


def places(times: Times, step: Step) -> NDArray[np.int64]:
    """How many steps each of these ascending times lies after the first.

    Of a monthly series the day within the month does not matter.

    Raises:
        SeriesError: a time lies between two steps.
    """
    if step.unit == "row":
        return np.arange(len(times))
    unit = "datetime64[s]" if step.unit == "s" else "datetime64[M]"
    units = times.astype(unit).astype(np.int64)
    steps, rest = np.divmod(units - units[0], step.size)
    if rest.any():
        row = int(np.flatnonzero(rest)[0])
        raise SeriesError(f"{show_time(times[row])} does not lie on the steps that begin at {show_time(times[0])}")
    return np.asarray(steps)


def times_at(first: np.datetime64, steps: NDArray[np.int64], step: Step) -> Times:
    """The times so many steps after ``first``; a month too short for its day ends with its last day."""
    if step.unit != "mo":
        return np.asarray(first + (steps * step.size).astype("timedelta64[s]"))
    months = first.astype("datetime64[M]") + (steps * step.size).astype("timedelta64[M]")
    begin = months.astype("datetime64[s]")
    length = (months + 1).astype("datetime64[s]") - begin
    day = np.timedelta64(86400, "s")
    into = first - first.astype("datetime64[M]")
    return np.asarray(begin + np.minimum(into, length - day + into % day))


def calendar_columns(times: Times, names: Iterable[str]) -> NDArray[np.float32]:
    """Sine and cosine of where each time lies in every cycle of ``names``, float32 ``(n, 2 * names)``."""
    columns = []
    for name in names:
        angle = 2 * np.pi * _phase(times, name)
        columns += [np.sin(angle), np.cos(angle)]
    return np.stack(columns, 1).astype(np.float32) if columns else np.empty((len(times), 0), np.float32)


def calendar_names(names: Iterable[str]) -> list[str]:
    """Names of the columns of ``calendar_columns``."""
    return [f"{name}_{function}" for name in names for function in ("sin", "cos")]


def interpolate(values: Floats, most: int) -> Floats:
    """Fill runs of up to ``most`` missing values (NaN) along a straight line, column by column.

    Runs that are longer, or have a value on one side only, stay as they are.
    """
    filled = values.copy()
    for column in filled.T if most else ():
        known = np.flatnonzero(~np.isnan(column))
        missing = np.flatnonzero(np.isnan(column))
        after = np.searchsorted(known, missing)
        missing, after = (part[(after > 0) & (after < len(known))] for part in (missing, after))
        short = missing[known[after] - known[after - 1] - 1 <= most]
        if len(short):
            column[short] = np.interp(short, known, column[known])
    return filled


def show_time(time: np.datetime64) -> str:
    """A time as people write it, without the parts that are zero."""
    text = str(time.astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(" 00:00:00") if text.endswith(" 00:00:00") else text.removesuffix(":00")


class Reader:
    """Reads windows as the entry of schema.json says.

    Args:
        feature: the entry.
    """

    def __init__(self, feature: Mapping[str, Any]) -> None:
        self._lookback: int = feature["lookback"]
        self._variables: list[str] = feature["variables"]
        self._cycles: list[str] = feature["calendar"]
        self._step = parse_step(feature["step"])
        self._most: int = feature["max_gap"] if feature["gaps"] == "interpolate" else 0
        self._time, self._series = feature["time_column"], feature["series_column"]

    def read(self, item: str) -> Iterator[tuple[str, Table]]:
        """Yield (name, rows) of every series in a CSV file; the name tells after which time the forecast begins.

        Raises:
            ValueError: the file does not hold the variables, or a cell is no number.
            OSError: the file cannot be opened.
        """
        data = Path(item).read_bytes()
        for series, table in self._tables(gzip.decompress(data) if item.lower().endswith(".gz") else data):
            after = f" after {show_time(table.times.max())}" if table.times is not None and len(table.times) else ""
            yield f"{item}{f'#{series}' if series else ''}{after}", table

    def encode(self, value: Any) -> NDArray[np.float32]:
        """The last window, float32 ``(lookback, V + calendar)``.

        Args:
            value: a Table; a CSV file by its path or content, with one series; a mapping of column to values; or an
                array ``(n, V)``, with calendar columns or not.

        Raises:
            ValueError: there are too few rows, a step is missing, or a value is no finite number.
        """
        values, times = self._regular(self._table(value))
        filled = interpolate(values[:, : len(self._variables)], self._most)[-self._lookback :]
        self._check(filled, None if times is None else times[-self._lookback :])
        calendar: NDArray[Any] = values[-self._lookback :, len(self._variables) :]
        if times is not None:
            calendar = calendar_columns(times[-self._lookback :], self._cycles)
        elif calendar.shape[1] != 2 * len(self._cycles):
            raise SeriesError(f"the model knows the {', '.join(self._cycles)} of each row: give a time column")
        return np.concatenate([filled, calendar], 1, dtype=np.float32, casting="same_kind")

    def stack(self, rows: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """One batch ``(n, lookback, V + calendar)``."""
        return np.stack(rows)

    def _regular(self, table: Table) -> tuple[Floats, Times | None]:
        """The last rows with a row for every step, NaN where it is missing, and the times of the steps."""
        values = table.values if table.calendar is None else np.concatenate([table.values, table.calendar], 1)
        if table.times is None or not len(values):
            return values, table.times
        order = np.argsort(table.times, kind="stable")
        times, values = table.times[order], values[order]
        if self._step.unit == "row":
            return values, times
        steps = places(times, self._step)
        if (twice := np.flatnonzero(np.diff(steps) == 0)).size:
            raise SeriesError(f"there are two rows for {show_time(times[twice[0]])}")
        # Enough steps before the window for a gap that begins there.
        first = max(0, int(steps[-1]) - self._lookback - self._most)
        kept = steps >= first
        regular = np.full((int(steps[-1]) - first + 1, values.shape[1]), np.nan)
        regular[steps[kept] - first] = values[kept]
        known = times_at(times[0], np.arange(first, steps[-1] + 1), self._step)
        known[steps[kept] - first] = times[kept]
        return regular, known

    def _check(self, window: Floats, times: Times | None) -> None:
        if len(window) < self._lookback:
            raise SeriesError(f"it covers {len(window)} steps, and the model looks back at {self._lookback}")
        with np.errstate(over="ignore"):
            broken = np.argwhere(~np.isfinite(window.astype(np.float32)))
        if len(broken):
            row, column = broken[0]
            place = show_time(times[row]) if times is not None else f"row {row - self._lookback} from the end"
            what = "is missing" if np.isnan(window[row, column]) else "is too large"
            raise SeriesError(f"{self._variables[column]} {what} at {place}")

    def _table(self, value: Any) -> Table:
        if isinstance(value, Table):
            return value
        if isinstance(value, (str, Path)):
            value = Path(value).read_bytes()
        if isinstance(value, bytes):
            found = list(self._tables(value))
            if len(found) != 1:
                raise SeriesError(f"the file has {len(found)} series, where one is expected")
            return found[0][1]
        if isinstance(value, Mapping):
            return self._from_columns({str(name): list(column) for name, column in value.items()})
        return self._from_array(np.asarray(value))

    def _from_array(self, values: NDArray[Any]) -> Table:
        count = len(self._variables)
        values = values[:, None] if values.ndim == 1 and count == 1 else values
        if values.ndim != 2 or values.dtype.kind not in "fiu":
            raise SeriesError(f"a series is an array of numbers (n, {count}), not {values.dtype} {values.shape}")
        if values.shape[1] not in {count, count + 2 * len(self._cycles)}:
            raise SeriesError(f"a row has {values.shape[1]} values, and the model takes {count}")
        values = values.astype(np.float64)
        return Table(values[:, :count], None, values[:, count:] if values.shape[1] > count else None)

    def _from_columns(self, columns: dict[str, list[Any]]) -> Table:
        for name in self._variables:
            if name not in columns:
                raise SeriesError(f"there is no column {name!r}, only {', '.join(map(repr, columns))}")
        if len({len(column) for column in columns.values()}) > 1:
            raise SeriesError("its columns are of different lengths")
        values = np.array([_numbers(name, columns[name]) for name in self._variables]).T
        times = to_times([str(time).strip() for time in columns[self._time]]) if self._time in columns else None
        names = calendar_names(self._cycles)
        calendar = None
        if times is None and names and all(name in columns for name in names):
            calendar = np.array([_numbers(name, columns[name]) for name in names]).T
        return Table(values, times, calendar)

    def _tables(self, data: bytes) -> Iterator[tuple[str, Table]]:
        """(name, rows) of every series in a CSV file; the only one has no name."""
        try:
            names, rows = _read_csv(data, self._variables)
        except _DAMAGE as error:
            raise SeriesError(f"it cannot be read ({error})") from error
        groups: dict[str, list[list[str]]] = {}
        by = names.index(self._series) if self._series in names else None
        for row in rows:
            groups.setdefault("" if by is None else row[by], []).append(row)
        for series, members in groups.items():
            columns = [list(column) for column in zip(*members, strict=True)]
            yield series, self._from_columns(dict(zip(names, columns, strict=True)))


def save_example(row: NDArray[np.float32], feature: Mapping[str, Any], path: Path) -> str:
    """Write a stored window as a .csv file, which encodes to the same window again.

    Its times are not known, so calendar features are columns of their own.

    Args:
        path: without its suffix.

    Returns:
        The name of the file.
    """
    file = path.with_name(f"{path.name}.csv")
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*feature["variables"], *calendar_names(feature["calendar"])])
        writer.writerows([str(value) for value in step] for step in row)
    return file.name


def _to_utc(text: str) -> str:
    found = _OFFSET.fullmatch(text)
    try:
        moment = datetime.fromisoformat(f"{found[1]}{found[2]}") if found else None
    except ValueError:
        moment = None
    if moment is None:
        raise SeriesError(f"{text!r} is no time such as 1949-01, 1949-01-31 or 1949-01-31 12:00")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()


def _phase(times: Times, name: str) -> Floats:
    """Where in the cycle each time lies, in [0, 1)."""
    days, months, years = (times.astype(f"datetime64[{unit}]") for unit in "DMY")
    since = {"hour": times - days.astype(times.dtype), "day": days - months.astype(days.dtype)}
    if name == "hour":
        return np.asarray(since["hour"].astype(np.int64) / 86400)
    if name == "weekday":
        return np.asarray((days.astype(np.int64) + 3) % 7 / 7)  # 1970-01-01 was a Thursday
    if name == "day":
        return np.asarray(since["day"].astype(np.int64) / 31)
    if name == "month":
        return np.asarray(months.astype(np.int64) % 12 / 12)
    if name == "yearday":
        return np.asarray((days - years.astype(days.dtype)).astype(np.int64) / _YEAR_DAYS % 1)
    raise SeriesError(f"{name!r} is no calendar feature; there are {', '.join(CYCLES)}")


def _numbers(name: str, cells: Sequence[Any]) -> list[float]:
    """The cells of a column; NaN where one is missing."""
    numbers = []
    for row, cell in enumerate(cells, start=1):
        text = "" if cell is None else str(cell).strip()
        try:
            numbers.append(float("nan") if text in MISSING else float(text.replace("_", "no number")))
        except ValueError as error:
            raise SeriesError(f"{name}, row {row}: {text!r} is no number") from error
    return numbers


def _read_csv(data: bytes, variables: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Column names and rows; the delimiter is that which makes most of the first line names of variables."""
    lines = io.StringIO(data.decode("utf-8-sig"), newline="")
    first = lines.readline()
    headers = [[name.strip() for name in next(csv.reader([first], delimiter=mark), [])] for mark in _DELIMITERS]
    names = max(headers, key=lambda header: len(set(header) & set(variables)))
    delimiter = _DELIMITERS[headers.index(names)]
    rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SeriesError(f"more than one column is named {', '.join(twice)}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise SeriesError(f"row {number} has {len(row)} columns, and the first line names {len(names)}")
    if delimiter != ",":  # where a comma divides no columns it may be the decimal sign
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    return names, rows
