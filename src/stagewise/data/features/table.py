"""Rows of a table as float32 vectors: numbers, dates and categories."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.features.table_entry import PROBABILITIES, ColumnEntry
from stagewise.data.features.table_entry import TableEntry as TableEntry
from stagewise.data.layout import Block, Layout
from stagewise.data.schema import DataSchema
from stagewise.data.tables.confirm import confirmation
from stagewise.data.tables.doubts import counters, leaks
from stagewise.data.tables.facts import PARTS, Facts, listed
from stagewise.data.tables.leaks import Power, powers
from stagewise.data.tables.picture import write_picture
from stagewise.data.tables.sample import RowSample
from stagewise.data.tables.types import Column, Limits, MixedError, infer, named_apart
from stagewise.errors import ConfigError, DataError
from stagewise.runtime.table import Reader, RowError, clean, nearest, to_moment, to_number

_log = logging.getLogger(__name__)
_WHERE = "data.feature"
_TYPES = ("number", "category", "date", "drop")
_CHECKS = {"number": to_number, "date": to_moment}


class TableFeature:
    """Stores each row as float32 (F,): numbers first, then dates, then categories, each in the order of the table.

    A number is stored as it is and a date as days since 1970-01-01, NaN where it is missing; a category as its code.
    Codes from 1 are the categories of the training rows, 0 is any other, and the last one a missing value where
    values are missing in training. Columns that do not vary are left out, with a warning.

    Types that ``columns`` does not name are inferred from the training rows (``tables.types.infer`` says how) and
    written into schema.json; reports/data/columns.yaml holds them for a person to confirm.

    Args:
        columns: type of columns: number, category, date (ISO notation), or drop.
        max_categories: most categories of a column that get a code; the most frequent ones do.
        min_category_count: fewest training rows of a category that gets a code; the rows of rarer ones teach the
            model what to make of a category it has never seen.
        na: texts that say that a value is missing, beside blank ones. They go into the package, too.
        date_parts: what of a date becomes a category of its own, where it varies; the hour is in UTC where dates
            have an offset.
        units: of columns, for reports.
        leak_threshold: warn of a column that alone tells this share of the answer: 1 is all (``tables.leaks.Power``).

    Raises:
        ConfigError: an argument is none of these.
    """

    kind = "table"
    gives = "table"
    inputs = "stagewise.tasks.inputs.table.TableInputs"
    display = "stagewise.report.displays.table.TableDisplay"
    runtime = "stagewise.runtime.table"
    _entry: TableEntry
    _reader: Reader

    def __init__(
        self,
        columns: Mapping[str, Literal["number", "category", "date", "drop"]] | None = None,
        max_categories: Annotated[int, Ge(1), Le(1_000_000)] = 255,
        min_category_count: Annotated[int, Ge(1)] = 10,
        na: Sequence[str] = (),
        date_parts: Sequence[Literal["month", "weekday", "hour"]] = ("month", "weekday", "hour"),
        units: Mapping[str, str] | None = None,
        leak_threshold: Annotated[float, Gt(0), Le(1)] = 0.9,
    ) -> None:
        self._given: dict[str, str] = dict(columns or {})
        self._units = dict(units or {})
        self._na = sorted({text.strip() for text in na} - {""})
        self._limits = Limits(max_categories, min_category_count, tuple(part for part in PARTS if part in date_parts))
        self._leak_threshold = leak_threshold
        for name, kind in self._given.items():
            if kind not in _TYPES:
                fix = f"one of {', '.join(_TYPES)}"
                raise ConfigError(f"{kind!r} is no type of column", where=f"{_WHERE}.columns.{name}", fix=fix)
        if wrong := [part for part in date_parts if part not in PARTS]:
            fix = f"of {', '.join(PARTS)}"
            raise ConfigError(f"{wrong[0]!r} is no part of a date", where=f"{_WHERE}.date_parts", fix=fix)
        self._names: list[str] = []
        self._columns: dict[str, Column] = {}
        self._dropped: dict[str, str] = {}
        self._powers: dict[str, Power] = {}

    @property
    def spooled(self) -> Layout:
        """A row as UTF-8 JSON; a dropped column is in it, so that rows that differ in it are no duplicates."""
        return Layout(np.dtype(np.uint8), None)

    @property
    def stored(self) -> Layout:
        """float32 (F,)."""
        return Layout(np.dtype(np.float32), (len(self._entry.columns),))

    def check(self, value: Any) -> NDArray[np.uint8]:
        """The row as JSON: clean values, in the order of the first row's columns.

        Raises:
            ValueError: a column is missing or unknown, a value is infinite or no single value, or it is not of the
                type that the config gives its column; with ``check`` "missing": no column has a value.
            ConfigError: the config names a column that the first row does not have.
        """
        if not isinstance(value, Mapping):
            raise RowError(f"a {type(value).__name__} is no row of a table")
        if not self._names:
            self._learn_names(list(value))
        if value.keys() != set(self._names):
            odd = sorted(set(self._names) ^ set(map(str, value)))
            raise RowError(f"its columns are not those of the first row: {listed(odd)}")
        row = {name: self._clean(name, value[name]) for name in self._names}
        if all(cell is None for cell in row.values()):
            raise RowError("no column has a value", "missing")
        try:
            text = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        except UnicodeEncodeError as error:
            raise RowError("it holds characters that are no Unicode text") from error
        return np.frombuffer(text, np.uint8)

    def fit(self, rows: Iterable[tuple[Block, NDArray[Any]]]) -> None:
        """Decide types, learn categories and figures, and look for columns that tell the answer alone.

        Raises:
            DataError: there are no rows, a column holds a mixture, or no column is left.
        """
        facts = {name: Facts() for name in self._names if self._given.get(name) != "drop"}
        sample = RowSample()
        for block, targets in rows:
            for raw, target in zip(block, targets, strict=True):
                row = _parse(raw)
                sample.add(raw.tobytes(), target)
                for name, column in facts.items():
                    column.add(row[name])
        if not sample.rows:
            raise DataError("there are no training rows", where="data.split")
        for column in facts.values():
            column.close()
        self._columns = self._decide(facts)
        self._entry = self._lay_out(sample.rows)
        self._reader = Reader(self._entry.model_dump())
        self._measure(sample)
        self._told()

    def encode(self, block: Block) -> NDArray[np.float32]:
        """Rows as the package encodes them: float32 (n, F).

        Raises:
            DataError: a value is not of the type that was inferred from the training rows.
        """
        try:
            return np.stack([self._reader.encode(_parse(raw)) for raw in block])
        except RowError as error:
            raise DataError(
                "a row does not fit the type that was inferred for its column from the training rows",
                where=f"{_WHERE}.columns",
                why=str(error),
                fix=f"name the type of that column in {_WHERE}.columns: such rows are then found and told, one by one, "
                f"before anything is inferred; or add the text to {_WHERE}.na if it says that a value is missing",
            ) from error

    def describe(self) -> TableEntry:
        """The entry of schema.json."""
        return self._entry

    def report(self) -> dict[str, Any]:
        """Type, missing values and power of every column, what was dropped, and warnings."""
        alone = self._powers
        columns = {
            column.name: {
                "type": column.type,
                "decided": column.decided,
                "missing": column.missing,
                **({"categories": len(column.categories), "other_rows": column.counts[0]} if column.codes else {}),
                **({alone[column.name].measure: round(alone[column.name].value, 4)} if column.name in alone else {}),
            }
            for column in self._entry.columns
        }
        return {
            "columns": columns,
            "dropped": self._entry.dropped,
            "unseen": self._unseen()[:20],
            "confirm": confirmation(self._columns, self._given, self._dropped).splitlines(),
            "warnings": self._warnings(),
        }

    def preview(self, settings: PreprocessSettings, schema: DataSchema, processed: Path, reports: Path) -> None:
        """Draw columns.png, and write columns.yaml: the types, ready to be pasted into the config."""
        write_picture(schema, processed, reports / "columns.png", settings.augment.offline_copies)
        text = confirmation(self._columns, self._given, self._dropped)
        (reports / "columns.yaml").write_text(text, encoding="utf-8")

    def _clean(self, name: str, value: Any) -> str | float | int | bool | None:
        try:
            cell = clean(value, self._na)
            check = _CHECKS.get(self._given.get(name, ""))
            if check is not None and cell is not None:
                check(cell)
        except RowError as error:
            raise RowError(f"column {name!r}: {error}", error.check) from None
        return cell

    def _learn_names(self, names: list[Any]) -> None:
        self._names = [str(name) for name in names]
        for key, given in (("columns", self._given), ("units", self._units)):
            for name in given:
                if name not in self._names:
                    near = nearest(name, self._names)
                    raise ConfigError(
                        f"the data has no column {name!r}" + (f"; did you mean {near!r}?" if near else ""),
                        where=f"{_WHERE}.{key}",
                        details=[f"it has {known!r}" for known in self._names[:10]],
                        fix="correct the name, or what data.reader drops",
                    )

    def _decide(self, facts: Mapping[str, Facts]) -> dict[str, Column]:
        columns, mixed = {}, []
        for name, found in facts.items():
            given = self._given.get(name)
            try:
                kind: Any = given or infer(found)
            except MixedError as error:
                mixed.append(f"{name}: {error}")
            else:
                columns[name] = Column(
                    name, found, kind, "confirmed" if given else "inferred", self._units.get(name, "")
                )
        if mixed:
            raise DataError(
                "the type of a column cannot be told: most of its values say one thing, a few another",
                where=f"{_WHERE}.columns",
                details=mixed,
                fix=f"add texts that mean a missing value to {_WHERE}.na, or name the type of the column in "
                f"{_WHERE}.columns: number (rows that hold anything else are then told one by one) or category",
            )
        return columns

    def _lay_out(self, rows: int) -> TableEntry:
        """The entry without medians and quantiles."""
        self._dropped = {name: "dropped in the config" for name, kind in self._given.items() if kind == "drop"}
        entries: list[ColumnEntry] = []
        for column in self._columns.values():
            found = column.entries(self._limits)
            entries += found
            if not found:
                self._dropped[column.name] = column.why_dropped(self._limits)
        if not entries:
            raise DataError(
                "no column of the table is left",
                where=f"{_WHERE}.columns",
                details=[f"{name}: {why}" for name, why in self._dropped.items()][:10],
            )
        order = ("number", "date", "category")
        entries = named_apart(sorted(entries, key=lambda entry: order.index(entry.type)))
        return TableEntry(shape=(len(entries),), columns=entries, dropped=self._dropped, na=self._na, rows=rows)

    def _measure(self, sample: RowSample) -> None:
        """Fill in medians and quantiles, and take the power of every column."""
        values = np.stack([self._reader.encode(_parse(raw)) for raw in sample.kept])
        columns = []
        for place, column in enumerate(self._entry.columns):
            known = values[:, place][~np.isnan(values[:, place])].astype(np.float64)
            if column.codes or not len(known):
                columns.append(column)
                continue
            quantiles = [float(number) for number in np.quantile(known, PROBABILITIES)]
            columns.append(column.model_copy(update={"median": float(np.median(known)), "quantiles": quantiles}))
        self._entry = self._entry.model_copy(update={"columns": columns})
        found = powers(values, [column.codes for column in columns], np.asarray(sample.targets))
        if found is not None:
            self._powers = {column.name: power for column, power in zip(columns, found, strict=True)}

    def _warnings(self) -> list[str]:
        dropped = [
            f"the column {name!r} is left out: {why}"
            for name, why in self._dropped.items()
            if self._given.get(name) != "drop"
        ]
        return [*dropped, *leaks(self._entry.columns, self._powers, self._leak_threshold), *counters(self._columns)]

    def _unseen(self) -> list[str]:
        """The categories that no training row has, of all rows encoded so far."""
        seen = set()
        for name, column in self._columns.items():
            seen |= {f"{name}: {text}" for text in column.facts.texts}
            for part, texts in column.facts.parts.items():
                seen |= {f"{name}.{part}: {text}" for text in texts}
        return [text for text in self._reader.unseen if text not in seen]

    def _told(self) -> None:
        inferred = [name for name, column in self._columns.items() if column.decided == "inferred"]
        if inferred:
            _log.info(
                "the types of %d of %d columns were inferred: see reports/data/columns.png, and to confirm them paste "
                "reports/data/columns.yaml into %s of conf/data/",
                len(inferred),
                len(self._names),
                _WHERE,
            )


def _parse(raw: NDArray[np.uint8] | bytes) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(raw if isinstance(raw, bytes) else raw.tobytes())
    return row
