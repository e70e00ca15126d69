"""Statistics of the training rows: what normalises the values, and what forecasts are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stagewise.data.series.series import Series

Rows = tuple[Series, NDArray[np.int64], int]
"""A series, the places of its rows, and how many of the rows are training rows."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesStatistics:
    """Of every variable, over the observed training values of all series together.

    Attributes:
        variables: their names.
        mean: of each.
        std: population standard deviation of each; 1 where it does not vary.
        varies: bool ``(V,)``.
    """

    variables: tuple[str, ...]
    mean: list[float]
    std: list[float]
    varies: NDArray[np.bool_]
    rows: Sequence[Rows]

    def naive(self, season: int) -> list[float]:
        """Mean absolute difference of training values one season apart; 0 where there are none."""
        total, count = np.zeros(len(self.variables)), np.zeros(len(self.variables))
        for series, places, train in self.rows:
            # Both rows of a pair lie in training, and exactly a season apart whatever gaps lie between.
            before = np.searchsorted(places[:train], places[:train] - season)
            pairs = np.flatnonzero(places[before] == places[:train] - season)
            difference = np.abs(series.values[pairs] - series.values[before[pairs]])
            total += np.nansum(difference, 0)
            count += (~np.isnan(difference)).sum(0)
        return [float(value) for value in total / np.maximum(count, 1)]


def fit_statistics(rows: Sequence[Rows]) -> SeriesStatistics:
    """Statistics of the training rows of series that have the same variables."""
    values = np.concatenate([series.values[:train] for series, _, train in rows])
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0).sum(0) / count
    std = np.sqrt((np.where(known, values - mean, 0) ** 2).sum(0) / count)
    # Rounding leaves a constant variable a deviation of some units in the last place.
    varies = np.asarray(std > 1e-12 * np.maximum(np.abs(mean), 1e-300))
    std = np.where(varies, std, 1.0)
    return SeriesStatistics(rows[0][0].variables, mean.tolist(), std.tolist(), varies, rows)
