"""Intervals: how far a figure of this many rows can be trusted."""

from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stagewise.metrics.weighted import Floats, Statistic

_CHUNK = 500_000


class Interval(NamedTuple):
    """A figure with the range that holds its true value at the chosen confidence."""

    value: float
    low: float
    high: float


def wilson(right: int, total: int, confidence: float) -> Interval:
    """Wilson score interval of the share ``right / total``; NaN, 0 and 1 when there are no rows."""
    if total == 0:
        return Interval(float("nan"), 0.0, 1.0)
    z2 = _quantile((1 + confidence) / 2) ** 2
    share = right / total
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = (z2 * (share * (1 - share) / total + z2 / (4 * total**2))) ** 0.5 / (1 + z2 / total)
    # At the ends the bound is exact; rounding must not move it past the figure.
    low = 0.0 if right == 0 else centre - half
    high = 1.0 if right == total else centre + half
    return Interval(share, low, high)


def bootstrap(
    statistics: Sequence[Statistic], rows: int, *, resamples: int, confidence: float, seed: int
) -> list[Interval]:
    """Bias-corrected percentile intervals of all ``statistics``, from the same resamples of the rows.

    Resamples on which a statistic is undefined (NaN) are left out of its interval; a statistic
    that is undefined on the rows themselves has NaN everywhere.
    """
    values = [float(statistic(np.ones((rows, 1)))[0]) for statistic in statistics]
    draws: list[list[Floats]] = [[] for _ in statistics]
    for weights in resample_weights(rows, resamples, seed):
        for drawn, statistic in zip(draws, statistics, strict=True):
            drawn.append(statistic(weights))
    pairs = zip(values, draws, strict=True)
    return [_bias_corrected(value, np.concatenate(drawn), confidence) for value, drawn in pairs]


def resample_weights(rows: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield ``(rows, b)``: how often each row occurs in each of ``resamples`` draws with replacement.

    A function of its arguments alone (PCG64); b is chosen so that memory stays bounded.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    size = max(1, _CHUNK // rows)
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        drawn = [np.bincount(generator.integers(0, rows, rows), minlength=rows) for _ in range(count)]
        yield np.array(drawn, dtype=np.float64).T.copy()


def student(values: Sequence[float], confidence: float) -> Interval:
    """Mean of independent values with Student's t interval; NaN bounds for fewer than two values."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, float("nan"), float("nan"))
    # Slow to import, and needed for cross-validation only.
    from scipy.stats import t  # type: ignore[import-untyped, unused-ignore]

    half = float(t.ppf((1 + confidence) / 2, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return Interval(mean, mean - half, mean + half)


def _bias_corrected(value: float, draws: NDArray[np.float64], confidence: float) -> Interval:
    draws = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(draws):
        return Interval(float("nan"), float("nan"), float("nan"))
    # A figure that is biased upwards on few rows (calibration error) is biased once more on each resample.
    below = (np.mean(draws < value) + np.mean(draws <= value)) / 2
    shift = 2 * _quantile(float(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws))))
    half = _quantile((1 + confidence) / 2)
    low, high = np.quantile(draws, [NormalDist().cdf(shift - half), NormalDist().cdf(shift + half)])
    return Interval(value, float(low), float(high))


def _quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
