"""Figures of forecasts, with their intervals."""

from dataclasses import dataclass

import numpy as np

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.metrics.intervals import Interval, bootstrap
from stagewise.metrics.weighted import Statistic
from stagewise.tasks.forecasting.predictions import FORECASTERS, Floats, Predictions

LEAST_BLOCKS = 5
"""Fewer blocks are too few for an interval."""


class Ratio:
    """Ratio of two sums over blocks, each block with a share in both: a mean error, or one error against another.

    Args:
        above, below: of each block, ``(b,)``.
    """

    def __init__(self, above: Floats, below: Floats) -> None:
        self._above, self._below = above, below

    def __call__(self, weights: Floats) -> Floats:
        """The ratio for each column of ``weights`` ``(b, c)``; NaN where the lower sum is zero."""
        above, below = self._above @ weights, self._below @ weights
        return np.asarray(np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0))


class Skill(Ratio):
    """1 minus a ratio: the share by which one error is smaller than another."""

    def __call__(self, weights: Floats) -> Floats:
        """The share for each column of ``weights``."""
        return 1 - super().__call__(weights)


@dataclass(frozen=True, slots=True)
class VariableScores:
    """Errors of one variable over all steps; ``rmse`` and ``mae`` are in its unit, the others standardised.

    Attributes:
        mase: mean absolute error over that of repeating the season within the training rows (Hyndman and Koehler
            2006); NaN where that is zero.
    """

    name: str
    unit: str
    standard_mse: float
    standard_mae: float
    rmse: float
    mae: float
    mase: float
    naive_mse: float
    """Of the seasonal-naive forecast."""


def intervals(predictions: Predictions, *, resamples: int, confidence: float, seed: int) -> dict[str, Interval]:
    """MSE, MAE and skill with their intervals, from resampled blocks; NaN ends with fewer than ``LEAST_BLOCKS``.

    Neighbouring windows share nearly all they look back at and forecast, so their errors are alike, and resampling
    single windows would make intervals far too narrow. Whole blocks of windows are drawn instead (Carlstein 1986);
    those of different blocks, unless they are neighbours, forecast no step in common.
    """
    count = int(predictions.blocks.max()) + 1
    model, naive = predictions.errors["model"], predictions.errors["seasonal_naive"]
    counts, squares, sizes, references = (
        np.bincount(predictions.blocks, values, count).astype(np.float64)
        for values in (predictions.counts, model.window_squares, model.window_sizes, naive.window_squares)
    )
    statistics: dict[str, Statistic] = {
        "mse": Ratio(squares, counts),
        "mae": Ratio(sizes, counts),
        "skill": Skill(squares, references),
    }
    if count >= LEAST_BLOCKS:
        drawn = bootstrap(list(statistics.values()), count, resamples=resamples, confidence=confidence, seed=seed)
    else:
        ones = np.ones((count, 1))
        drawn = [Interval(float(function(ones)[0]), np.nan, np.nan) for function in statistics.values()]
    found = dict(zip(statistics, drawn, strict=True))
    for name, value in (("mse", model.mse), ("mae", model.mae)):
        found[name] = found[name]._replace(value=value)
    return {name: interval for name, interval in found.items() if np.isfinite(interval.value)}


def by_variable(predictions: Predictions, target: SeriesTarget) -> list[VariableScores]:
    """Errors of every variable; NaN for one of which nothing was observed."""
    model, naive = predictions.errors["model"], predictions.errors["seasonal_naive"]
    totals = (model.step_squares, model.step_sizes, naive.step_squares)
    mse, mae, reference = (_divide(total.sum(0), predictions.step_counts.sum(0)) for total in totals)
    std = np.array(target.std)
    mase = _divide(mae * std, np.array(target.naive))
    columns = (mse, mae, np.sqrt(mse) * std, mae * std, mase, reference)
    return [
        VariableScores(name, unit, *(float(column[place]) for column in columns))
        for place, (name, unit) in enumerate(zip(target.variables, target.units, strict=True))
    ]


def by_step(predictions: Predictions) -> dict[str, tuple[Floats, Floats]]:
    """MSE and MAE ``(H,)`` of every forecaster at each step of the forecast, standardised."""
    counts = predictions.step_counts.sum(1)
    return {
        name: (
            _divide(predictions.errors[name].step_squares.sum(1), counts),
            _divide(predictions.errors[name].step_sizes.sum(1), counts),
        )
        for name in FORECASTERS
    }


def mean_mase(scores: list[VariableScores]) -> float:
    """Mean of MASE over the variables that have one; NaN if none has."""
    known = [score.mase for score in scores if np.isfinite(score.mase)]
    return float(np.mean(known)) if known else float("nan")


def _divide(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))
