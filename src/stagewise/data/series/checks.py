"""Checks of raw series: what each found, and the series that can be cut into windows."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.data import Action, Checks
from stagewise.data.checks import Finding
from stagewise.data.sample import Sample
from stagewise.data.series.series import Series
from stagewise.errors import DataError
from stagewise.runtime.series import SeriesError, Step, places, show_time

EXAMPLES = 5
"""Most examples that are kept of anything."""

MESSAGES = {
    "readable": "series that cannot be read",
    "variables": "series with other variables than the first",
    "infinite": "value beyond the range of float32",
    "order": "row earlier than the one before it: rows were sorted by time",
    "conflicts": "time with two rows that differ",
    "duplicates": "row that repeats the one before it",
    "irregular": "series whose times do not lie on its steps",
    "gaps": "step without a row",
    "missing": "value that is missing",
    "constant": "variable that does not vary in the training rows",
    "borders": "series shorter than the borders of the split",
    "short": "series too short for a training window",
    "splits": "split without windows",
}
"""Every check of series, in the order of checks.json, and what one thing is that it finds."""

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class SeriesFinding(Finding):
    """What one check of series found."""

    @property
    def message(self) -> str:
        """One line: check, count, what, and the examples."""
        line = f"{self.check}: {self.count:,} found ({MESSAGES[self.check]})"
        return f"{line}, e.g. {'; '.join(self.examples)}" if self.examples else line


@dataclass(slots=True)
class Tally:
    """What one check found so far."""

    count: int = 0
    dropped: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str, count: int = 1, dropped: int = 0) -> None:
        """Count ``count`` more, told by one example."""
        if count:
            self.count += count
            self.dropped += dropped
            self.examples.append(example)


class Ledger:
    """Counts by check, and what is done about each."""

    def __init__(self, checks: Checks, gaps: str) -> None:
        found: Action = "fail" if gaps == "fail" else "warn"
        self._actions: dict[str, Action] = {
            "readable": checks.unreadable,
            "order": "warn",
            "duplicates": checks.duplicates,
            "gaps": found,
            "missing": found,
            "constant": checks.constant,
            "short": "warn",
        }
        self._remedies = {
            "readable": "data.checks.unreadable=drop",
            "duplicates": "data.checks.duplicates=drop",
            "irregular": "data.feature.step=row",
            "gaps": "data.feature.gaps=interpolate",
            "missing": "data.feature.gaps=interpolate",
            "constant": "data.checks.constant=drop",
            "splits": "a smaller data.feature.lookback or horizon",
        }
        self.tallies = {check: Tally() for check in MESSAGES}

    def __getitem__(self, check: str) -> Tally:
        return self.tallies[check]

    def action(self, check: str) -> Action:
        """What is done about it; what has no key in the config always fails."""
        return self._actions.get(check, "fail")

    @property
    def failed(self) -> bool:
        """Whether a check stops the stage."""
        return any(finding.failed for finding in self.findings())

    def findings(self) -> list[SeriesFinding]:
        """One finding per check, in the order of MESSAGES."""
        return [
            SeriesFinding(
                check,
                self.action(check),
                tally.count,
                tally.dropped,
                tuple(tally.examples[:EXAMPLES]),
                self._remedies.get(check, ""),
            )
            for check, tally in self.tallies.items()
        ]


def tidy(samples: Iterable[Sample], ledger: Ledger) -> dict[str, Series]:
    """The readable series by name, each sorted by time, without repeated rows.

    Raises:
        DataError: two series have one name, or a sample's value is no Series.
    """
    found: dict[str, Series] = {}
    for sample in samples:
        if sample.error is not None:
            ledger["readable"].add(f"{sample.id}: {sample.error}", dropped=1)
        elif sample.id in found:
            raise DataError(f"there are two series named {sample.id!r}", where="data.reader")
        elif not isinstance(sample.value, Series):
            raise DataError(f"{sample.id} is no series", where="data.reader", fix="choose a reader of series")
        else:
            found[sample.id] = _sorted(sample.id, sample.value, ledger)
    first = next(iter(found.values()), None)
    for name, series in found.items():
        if first is not None and series.variables != first.variables:
            ledger["variables"].add(f"{name} has {', '.join(series.variables)}")
    return found


def locate(found: dict[str, Series], step: Step, ledger: Ledger) -> dict[str, NDArray[np.int64]]:
    """The place of every row of every series, counted in steps; irregular series are left out."""
    placed: dict[str, NDArray[np.int64]] = {}
    for name, series in found.items():
        try:
            where = places(series.times, step) if len(series.times) else np.empty(0, np.int64)
        except SeriesError as error:
            ledger["irregular"].add(f"{name}: {error}")
            continue
        gaps = np.diff(where) - 1
        if (gaps < 0).any():
            row = int(np.flatnonzero(gaps < 0)[0])
            pair = f"{show_time(series.times[row])} and {show_time(series.times[row + 1])}"
            ledger["irregular"].add(f"{name}: {pair} lie in one step")
            continue
        for gap in np.flatnonzero(gaps).tolist():
            ledger["gaps"].add(f"{name}: {gaps[gap]:,} after {show_time(series.times[gap])}", int(gaps[gap]))
        placed[name] = where
    return placed


def _sorted(name: str, series: Series, ledger: Ledger) -> Series:
    times, values = series.times, series.values
    earlier = np.flatnonzero(times[1:] < times[:-1]) + 1
    if len(earlier):
        ledger["order"].add(f"{name}: {show_time(times[earlier[0]])}", len(earlier))
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    again = np.zeros(len(times), np.bool_)
    again[1:] = times[1:] == times[:-1]
    same = again.copy()
    same[1:] &= ((values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))).all(1)
    for check, rows in (("conflicts", again & ~same), ("duplicates", same)):
        if rows.any():
            left_out = int(rows.sum())
            ledger[check].add(f"{name}: {show_time(times[rows.argmax()])}", left_out, left_out)
    times, values = times[~again], values[~again]
    _check_values(name, Series(times, values, series.variables), ledger)
    return Series(times, values, series.variables)


def _check_values(name: str, series: Series, ledger: Ledger) -> None:
    for check, wrong in (("infinite", np.abs(series.values) > _LARGEST), ("missing", np.isnan(series.values))):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            example = f"{name}: {series.variables[column]} at {show_time(series.times[row])}"
            ledger[check].add(example, int(wrong.sum()))
