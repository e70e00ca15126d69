"""Figures of a classifier as functions of row weights.

The counts of a bootstrap resample as weights give the value on that resample, many resamples at once; libraries have
no such functions. Weights of one give the figure itself, which reports take from a library instead: the tests hold
both to be the same. Every call takes weights ``(n, b)``, one column per resample, and returns ``(b,)``.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]


class GroupSum:
    """Sums of rows by group.

    Args:
        rows: the rows that take part, ``(m,)``.
        groups: the group in [0, count) of each of them, ``(m,)``.
        count: number of groups; those without rows sum to zero.
    """

    def __init__(self, rows: Ints, groups: Ints, count: int) -> None:
        order = np.argsort(groups, kind="stable")
        self._rows = rows[order].astype(np.int32)
        self._groups, self._starts = np.unique(groups[order], return_index=True)
        self._count = count

    def __call__(self, weights: Floats) -> Floats:
        """Sum ``weights`` ``(n, b)`` to ``(count, b)``."""
        sums = np.zeros((self._count, weights.shape[1]))
        if len(self._rows):
            sums[self._groups] = np.add.reduceat(weights[self._rows], self._starts, axis=0)
        return sums


class MacroF1:
    """Mean of the F1 scores of all classes that occur as target or as label."""

    def __init__(self, targets: Ints, labels: Ints, classes: int) -> None:
        cells, cell = np.unique(targets * classes + labels, return_inverse=True)
        every = np.arange(len(targets))
        self._cells = GroupSum(every, cell, len(cells))
        index = np.arange(len(cells))
        self._actual = GroupSum(index, cells // classes, classes)
        self._predicted = GroupSum(index, cells % classes, classes)
        hit = cells // classes == cells % classes
        self._right = GroupSum(index[hit], cells[hit] % classes, classes)

    def __call__(self, weights: Floats) -> Floats:
        """F1 for each column of ``weights``."""
        cells = self._cells(weights)
        total = self._actual(cells) + self._predicted(cells)
        f1 = 2 * self._right(cells) / np.maximum(total, 1e-300)
        return np.asarray(f1.sum(axis=0) / (total > 0).sum(axis=0))


class F1:
    """F1 score of one class: twice the right ones over the rows of the class and the rows with its label."""

    def __init__(self, targets: Ints, labels: Ints, index: int) -> None:
        self._right: Floats = ((targets == index) & (labels == index)).astype(np.float64)
        self._either: Floats = (targets == index).astype(np.float64) + (labels == index)

    def __call__(self, weights: Floats) -> Floats:
        """F1 for each column of ``weights``; NaN where the class occurs neither as target nor as label."""
        either = self._either @ weights
        return np.asarray(
            np.divide(2 * self._right @ weights, either, out=np.full(len(either), np.nan), where=either > 0)
        )


class Auroc:
    """Area under the ROC curve of one class against the rest; ties count half.

    It is the share of (positive, negative) pairs in which the positive row has the higher score.
    """

    def __init__(self, scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> None:
        levels = np.unique(scores[positive])
        up, down = np.flatnonzero(positive), np.flatnonzero(~positive)
        self._positive = GroupSum(up, np.searchsorted(levels, scores[up]), len(levels))
        # Even slots lie between two levels of the positive rows, odd slots are tied with one.
        slots = np.searchsorted(levels, scores[down], "left") + np.searchsorted(levels, scores[down], "right")
        self._negative = GroupSum(down, slots, 2 * len(levels) + 1)

    def __call__(self, weights: Floats) -> Floats:
        """AUROC for each column of ``weights``; NaN where one side has no weight."""
        positive, negative = self._positive(weights), self._negative(weights)
        below = np.cumsum(negative, axis=0)[0:-1:2]
        won = (positive * (below + negative[1::2] / 2)).sum(axis=0)
        pairs = positive.sum(axis=0) * negative.sum(axis=0)
        return np.asarray(np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0))


class MacroAuroc:
    """Mean of the one-versus-rest AUROC of all classes with rows on both sides."""

    def __init__(self, targets: Ints, probabilities: NDArray[np.floating]) -> None:
        self._classes = [Auroc(probabilities[:, c], targets == c) for c in np.unique(targets)]

    def __call__(self, weights: Floats) -> Floats:
        """Macro AUROC for each column of ``weights``; NaN where no class has both sides."""
        total, counted = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
        for auroc in self._classes:
            value = auroc(weights)
            total += np.nan_to_num(value)
            counted += ~np.isnan(value)
        return np.asarray(np.divide(total, counted, out=np.full(len(total), np.nan), where=counted > 0))


class CalibrationError:
    """Expected calibration error: mean distance of confidence and accuracy, over bins of equal width."""

    def __init__(self, confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int) -> None:
        self._gap: Floats = (correct - confidence.astype(np.float64))[:, None]
        self._bins = GroupSum(np.arange(len(correct)), bin_index(confidence, bins), bins)

    def __call__(self, weights: Floats) -> Floats:
        """Calibration error for each column of ``weights``."""
        return np.asarray(np.abs(self._bins(self._gap * weights)).sum(axis=0) / weights.sum(axis=0))


def bin_index(confidence: NDArray[np.floating], bins: int) -> Ints:
    """The bin of each confidence, ``(n,)``; bins of equal width over [0, 1], closed at the lower edge."""
    return np.minimum((confidence.astype(np.float64) * bins).astype(np.int64), bins - 1)
