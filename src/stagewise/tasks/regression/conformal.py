"""Prediction intervals from the errors on rows that were held out: split conformal prediction.

After Lei, G'Sell, Rinaldo, Tibshirani & Wasserman (2018), "Distribution-free predictive inference for regression".
Whatever the network and the data, an interval of half width q holds a new row's number with at least the chosen
probability when q is the right order statistic of the absolute errors on rows drawn like that row, which took no part
in training. The probability is one over all rows: hard ones are covered less often, easy ones more.

The validation rows serve. They also chose the epoch, so their errors are slightly too small; the coverage on the test
rows, which is measured, says how much that matters.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from stagewise.tasks.regression.predictions import Floats, Predictions

Transform = Literal["none", "log1p"]


@dataclass(frozen=True, slots=True)
class Conformal:
    """Sorted absolute errors of the calibration rows, on the scale on which the network is trained.

    Attributes:
        sizes: ascending, ``(n,)``; errors of the logarithm where the target has one.
        transform: that scale.
    """

    sizes: Floats
    transform: Transform

    @classmethod
    def of(cls, predictions: Predictions, transform: Transform) -> "Conformal":
        """Calibrate on these rows."""
        errors = _to_scale(predictions.values, transform) - _to_scale(predictions.targets, transform)
        return cls(np.sort(np.abs(errors)), transform)

    def reaches(self, level: float) -> bool:
        """Whether there are rows enough for an interval of this level: 19 for 95 %."""
        return self._rank(level) <= len(self.sizes)

    def half_width(self, level: float) -> float:
        """Half the width of an interval that holds a new row with probability ``level``; infinite for too few rows.

        It is the ceil((n + 1) * level)-th smallest size.
        """
        return float(self.sizes[self._rank(level) - 1]) if self.reaches(level) else float("inf")

    def interval(self, values: Floats, level: float) -> tuple[Floats, Floats]:
        """Lower and upper ends around predicted numbers ``(n,)``, in the target's unit."""
        half, centre = self.half_width(level), _to_scale(values, self.transform)
        return _to_unit(centre - half, self.transform), _to_unit(centre + half, self.transform)

    def _rank(self, level: float) -> int:
        # Rounded, since (n + 1) * 0.9 may be a hair above a whole number.
        return ceil(round((len(self.sizes) + 1) * level, 9))


def _to_scale(numbers: Floats, transform: Transform) -> Floats:
    return np.log1p(numbers) if transform == "log1p" else numbers


def _to_unit(numbers: Floats, transform: Transform) -> Floats:
    # Of a logarithm below that of zero: the target is never negative.
    return np.expm1(np.maximum(numbers, 0)) if transform == "log1p" else numbers
