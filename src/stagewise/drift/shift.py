"""Whether a window of rows comes from where the reference came from, with a false-alarm rate that is known."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stagewise.drift import tails
from stagewise.drift.columns import Table
from stagewise.drift.reference import bin_counts


class Shift(NamedTuple):
    """How one column of a window compares."""

    name: str
    p: float
    """Probability of something as unusual in any of the column's tests, if nothing changed: at most this."""
    adjusted: float
    """The same for all columns together (Holm 1979): drift where it is at most alpha."""
    psi: float
    """Population stability index, how large the shift is: below 0.1 small, above 0.25 large, if the window is large."""
    shares: list[float]
    """Of the window's rows in each of the reference's bins; last, of a number, those where it is missing."""
    mean: float | None
    """Of the window's numbers; None of a category, and where all are missing."""


class Verdict(NamedTuple):
    """How one window compares."""

    rows: int
    alpha: float
    shifts: list[Shift]

    @property
    def smallest(self) -> float:
        """The smallest adjusted p."""
        return min((shift.adjusted for shift in self.shifts), default=1.0)

    @property
    def alarm(self) -> bool:
        """Whether there is drift; without any, at most ``alpha`` of all windows say so."""
        return self.smallest <= self.alpha

    @property
    def drifted(self) -> list[Shift]:
        """The columns that drifted, the surest first."""
        return sorted((shift for shift in self.shifts if shift.adjusted <= self.alpha), key=lambda shift: shift.p)


def judge(entries: Sequence[Mapping[str, Any]], rows: int, window: Table, alpha: float) -> Verdict:
    """Compare a window with the reference.

    If the rows of both are drawn independently from one distribution, an alarm has at most probability ``alpha``:
    every single test is exact (or, where values are tied, too careful), and Bonferroni's and Holm's corrections hold
    however the tests depend on each other. The probability is over windows and references: of two windows that are
    compared with one unlucky reference, both may alarm.

    Args:
        entries: of the reference, one per column.
        rows: that the reference was made of.
        window: rows that were in no other window.
        alpha: the false-alarm rate.
    """
    values = [window[:, place] for place in range(len(entries))]
    found = [_p(entry, rows, column) for entry, column in zip(entries, values, strict=True)]
    shifts = []
    for entry, column, p, adjusted in zip(entries, values, found, holm(found), strict=True):
        psi, shares = _psi(entry, rows, column)
        shifts.append(Shift(entry["name"], p, adjusted, psi, shares, _mean(entry, column)))
    return Verdict(len(window), alpha, shifts)


def holm(found: Sequence[float]) -> list[float]:
    """P-values adjusted so that the chance of any false one among them is kept."""
    adjusted, least = [0.0] * len(found), 0.0
    for place, number in enumerate(sorted(range(len(found)), key=lambda number: found[number])):
        least = max(least, min(1.0, found[number] * (len(found) - place)))
        adjusted[number] = least
    return adjusted


def _p(entry: Mapping[str, Any], rows: int, values: NDArray[Any]) -> float:
    tests = _category_tests(entry, rows, values) if "labels" in entry else _number_tests(entry, rows, values)
    return min(1.0, len(tests) * min(tests, default=1.0))


def _category_tests(entry: Mapping[str, Any], rows: int, values: NDArray[Any]) -> list[float]:
    """Of every label, whether it comes too rarely, and too often."""
    counts = np.bincount(values.astype(np.int64), minlength=len(entry["labels"])).tolist()
    pairs = list(zip(entry["counts"], counts, strict=True))
    if len(pairs) == 2:  # the second label says the same as the first
        pairs = pairs[:1]
    return [p for before, now in pairs for p in _share_tests(before, now, rows, len(values))]


def _number_tests(entry: Mapping[str, Any], rows: int, values: NDArray[Any]) -> list[float]:
    """At every edge, whether too few values lie at or below it, and too many below it; and whether any are missing.

    The number at or below an edge is never less than the number of latent untied values below it, and the number
    below never more: so ties only make the test more careful.
    """
    missing = entry["missing"]
    known = np.sort(values[~np.isnan(values)])
    found = _share_tests(missing, len(values) - len(known), rows, len(values))
    edges = np.asarray(entry["edges"], np.float32)
    below, up_to = (np.searchsorted(known, edges, side).tolist() for side in ("left", "right"))
    for rank, fewer, most in zip(entry["ranks"], below, up_to, strict=True):
        count = tails.tails_below_rank(rank, rows - missing, len(known))
        found += [float(count.at_most[most]), float(count.at_least[fewer])]
    return found


def _share_tests(before: int, now: int, rows: int, count: int) -> list[float]:
    both = tails.tails_drawn(before + now, rows, count)
    return [float(both.at_most[now]), float(both.at_least[now])]


def _mean(entry: Mapping[str, Any], values: NDArray[Any]) -> float | None:
    known = values[~np.isnan(values)]
    return None if "labels" in entry or not len(known) else float(known.mean(dtype=np.float64))


def _psi(entry: Mapping[str, Any], rows: int, values: NDArray[Any]) -> tuple[float, list[float]]:
    """Half a row is added to every bin, so that an empty one does not make it infinite."""
    if "labels" in entry:
        before = entry["counts"]
        now = np.bincount(values.astype(np.int64), minlength=len(before)).tolist()
    else:
        known = values[~np.isnan(values)]
        before = [*entry["counts"], entry["missing"]]
        now = [*bin_counts(entry["bins"], known), len(values) - len(known)]
    total = 0.0
    for one, other in zip(before, now, strict=True):
        if one or other:
            old, new = (one + 0.5) / (rows + 0.5 * len(before)), (other + 0.5) / (len(values) + 0.5 * len(before))
            total += (new - old) * math.log(new / old)
    return total, [count / len(values) for count in now]
