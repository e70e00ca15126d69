"""Figures of predicted numbers as functions of row weights, as those of a classifier in ``metrics.weighted``.

Every call takes weights ``(n, b)``, one column per resample, and returns ``(b,)``.
"""

import numpy as np
from numpy.typing import NDArray

from stagewise.metrics.weighted import Floats


class Mean:
    """Mean of one value per row ``(n,)``: of errors, of absolute errors, of right answers."""

    def __init__(self, values: NDArray[np.floating] | NDArray[np.bool_]) -> None:
        self._values: Floats = np.asarray(values, dtype=np.float64)

    def __call__(self, weights: Floats) -> Floats:
        """Mean for each column of ``weights``; NaN where it has none."""
        total = weights.sum(axis=0)
        return np.asarray(np.divide(self._values @ weights, total, out=np.full(len(total), np.nan), where=total > 0))


class RootMeanSquare:
    """Square root of the mean square of one error per row ``(n,)``."""

    def __init__(self, errors: Floats) -> None:
        self._squares = Mean(np.square(errors))

    def __call__(self, weights: Floats) -> Floats:
        """Root mean square for each column of ``weights``; NaN where it has none."""
        return np.asarray(np.sqrt(self._squares(weights)))


class MedianSize:
    """Median of the absolute values of one error per row ``(n,)``; the mean of the middle two of an even count."""

    def __init__(self, errors: Floats) -> None:
        sizes = np.abs(errors)
        self._order = np.argsort(sizes, kind="stable")
        self._sizes: Floats = sizes[self._order]

    def __call__(self, weights: Floats) -> Floats:
        """Median for each column of ``weights``; NaN where it has none."""
        reached = np.cumsum(weights[self._order], axis=0)
        half = reached[-1] / 2
        # The first row at which half of the weight is reached, and the first at which it is passed.
        low = np.minimum((reached < half).sum(axis=0), len(self._sizes) - 1)
        high = np.minimum((reached <= half).sum(axis=0), len(self._sizes) - 1)
        median = (self._sizes[low] + self._sizes[high]) / 2
        return np.asarray(np.where(half > 0, median, np.nan))


class R2:
    """Coefficient of determination: the share of the target's variance that the predictions explain.

    Args:
        targets: the true numbers ``(n,)``.
        errors: predicted minus true ``(n,)``.
    """

    def __init__(self, targets: Floats, errors: Floats) -> None:
        # Centred, so that the difference of two large sums loses nothing.
        self._centred: Floats = targets - targets.mean()
        self._squares: Floats = np.square(errors)

    def __call__(self, weights: Floats) -> Floats:
        """R2 for each column of ``weights``; NaN where the weighted targets do not vary."""
        total = weights.sum(axis=0)
        spread = np.square(self._centred) @ weights - np.square(self._centred @ weights) / np.maximum(total, 1e-300)
        # What rounding leaves of a variance of zero is no variance.
        varies = spread > 1e-12 * np.maximum(np.square(self._centred) @ weights, 1e-300)
        ratio = np.divide(self._squares @ weights, spread, out=np.full(len(total), np.nan), where=varies)
        return np.asarray(1 - ratio)
