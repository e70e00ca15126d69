"""How well one column alone tells the answer: a column that tells all of it was written after the answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_ROWS = 20_000
"""More rows are thinned out evenly."""
FEWEST_ROWS = 30
"""Of fewer rows nothing can be said."""
_BINS, _ROWS_PER_BIN = 100, 5
_DISTINCT = 12  # so few different numbers have a bin each


@dataclass(frozen=True, slots=True)
class Power:
    """How well a column alone tells the answer, on rows that it was not fitted to.

    Attributes:
        measure: "AUROC" (two classes), "accuracy" (several) or "R2" (a number).
        value: of that measure.
        share: the same from 0 (no better than a constant) to 1 (always right): 2 AUROC - 1, Goodman and Kruskal's
            lambda (1954, the share of the errors of always guessing the most frequent class that are avoided), R2.
    """

    measure: str
    value: float
    share: float


def powers(rows: NDArray[np.float32], codes: list[int], targets: NDArray[Any]) -> list[Power] | None:
    """The power of each column of ``rows`` (n, F); None where there are too few rows, or all targets are equal.

    The rows are halved. In one half the column is cut into bins (its categories, or quantiles with a
    bin for missing values), and each bin gives its most frequent class or mean; the other half is judged by that.

    Args:
        codes: how many codes each column has; 0 for numbers.
        targets: class numbers (an integer dtype) or numbers, ``(n,)``.
    """
    step = -(-len(rows) // MOST_ROWS) if len(rows) else 1
    rows, targets = rows[::step], targets[::step]
    if len(rows) < FEWEST_ROWS or targets.min() == targets.max():
        return None
    columns = list(zip(rows.T, codes, strict=True))
    if targets.dtype.kind in "iub":
        _, classes = np.unique(targets, return_inverse=True)
        return [_of_classes(column, count, classes) for column, count in columns]
    return [_of_number(column, count, targets.astype(np.float64)) for column, count in columns]


def _halves(
    column: NDArray[np.float32], codes: int
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], int]]:
    """Twice: the rows to judge with their bins, the rows to fit with theirs, and how many bins there are."""
    first = _first_half(len(column))
    for own, other in ((first, ~first), (~first, first)):
        bins, count = _bins(column, codes, column[other])
        yield own, bins[own], other, bins[other], count


def _first_half(rows: int) -> NDArray[np.bool_]:
    """About half of the rows, chosen by a hash of their number: every second one might be of the same class."""
    mixed = np.arange(1, rows + 1, dtype=np.uint32) * np.uint32(0x9E3779B1)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x85EBCA77)
    half: NDArray[np.bool_] = (mixed >> np.uint32(31)) == 1
    return half


def _bins(column: NDArray[np.float32], codes: int, fitted: NDArray[np.float32]) -> tuple[NDArray[np.int64], int]:
    """The bin of each row, and how many bins there are."""
    if codes:
        return column.astype(np.int64), codes
    known = fitted[~np.isnan(fitted)]
    edges = np.unique(known)
    if len(edges) > _DISTINCT:
        count = min(_BINS, len(known) // _ROWS_PER_BIN)
        edges = np.unique(np.quantile(known, np.arange(1, count) / count, method="lower"))
    bins = np.searchsorted(edges, column, side="left")
    return np.where(np.isnan(column), len(edges) + 1, bins).astype(np.int64), len(edges) + 2


def _of_classes(column: NDArray[np.float32], codes: int, truth: NDArray[np.int64]) -> Power:
    classes = int(truth.max()) + 1
    guesses, scores = np.empty_like(truth), np.empty(len(truth))
    for own, bins, other, fitted, count in _halves(column, codes):
        rows = np.bincount(fitted * classes + truth[other], minlength=count * classes).reshape(count, classes)
        rows[rows.sum(axis=1) == 0] = rows.sum(axis=0)  # a bin without rows is as all rows together
        guesses[own] = rows.argmax(axis=1)[bins]
        scores[own] = (rows[:, -1] / rows.sum(axis=1))[bins]
    if classes == 2:
        area = _auroc(scores, truth == 1)
        return Power("AUROC", area, max(0.0, 2 * area - 1))
    right = float((guesses == truth).mean())
    most = float(np.bincount(truth).max() / len(truth))
    return Power("accuracy", right, max(0.0, (right - most) / (1 - most)))


def _auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic; equal scores count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    pairs = np.count_nonzero(positive) * np.count_nonzero(~positive)
    above = ranks[positive].sum() - np.count_nonzero(positive) * (np.count_nonzero(positive) + 1) / 2
    return float(above / pairs)


def _of_number(column: NDArray[np.float32], codes: int, numbers: NDArray[np.float64]) -> Power:
    told = np.empty_like(numbers)
    for own, bins, other, fitted, count in _halves(column, codes):
        rows, sums = np.bincount(fitted, minlength=count), np.bincount(fitted, numbers[other], count)
        told[own] = np.where(rows > 0, sums / np.maximum(rows, 1), numbers[other].mean())[bins]
    spread = np.square(numbers - numbers.mean()).sum()
    r2 = float(1 - np.square(numbers - told).sum() / spread)
    if not codes and not np.isnan(column).any() and column.min() < column.max():
        values = column.astype(np.float64)
        # A straight line, which bins follow only in steps.
        r2 = max(r2, float(np.corrcoef(values, numbers)[0, 1] ** 2))
    return Power("R2", r2, max(0.0, r2))
