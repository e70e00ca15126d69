"""Figures of predicted numbers, with their intervals."""

import numpy as np
import torch

from stagewise.metrics.intervals import Interval, bootstrap
from stagewise.metrics.regression import R2, Mean, MedianSize, RootMeanSquare
from stagewise.metrics.weighted import Statistic
from stagewise.tasks.regression.predictions import Floats, Predictions


def figures(predictions: Predictions, *, relative: bool) -> dict[str, float]:
    """The figures by name; one that is undefined (R2 of equal targets) is NaN.

    ``rmse``, ``mae``, ``median_absolute_error`` and ``mean_error`` are in the target's unit, ``r2`` and ``mape`` are
    shares.

    Args:
        relative: whether the error as a share of the target (``mape``) means anything.
    """
    # Importing torchmetrics takes seconds, and only a regression's evaluation needs it.
    from torchmetrics.functional import regression

    values, targets = torch.from_numpy(predictions.values), torch.from_numpy(predictions.targets)
    varied = len(targets) > 1 and float(predictions.targets.std()) > 0
    found = {
        "rmse": regression.mean_squared_error(values, targets, squared=False),
        "mae": regression.mean_absolute_error(values, targets),
        "median_absolute_error": np.median(np.abs(predictions.errors)),
        "r2": regression.r2_score(values, targets) if varied else np.nan,
        "mean_error": predictions.errors.mean(),
    }
    if relative:
        found["mape"] = regression.mean_absolute_percentage_error(values, targets)
    return {name: float(value) for name, value in found.items()}


def statistics(targets: Floats, values: Floats, *, relative: bool) -> dict[str, Statistic]:
    """The same figures as functions of row weights."""
    errors = values - targets
    found: dict[str, Statistic] = {
        "rmse": RootMeanSquare(errors),
        "mae": Mean(np.abs(errors)),
        "median_absolute_error": MedianSize(errors),
        "r2": R2(targets, errors),
        "mean_error": Mean(errors),
    }
    if relative:
        found["mape"] = Mean(np.abs(errors / targets))
    return found


def intervals(
    predictions: Predictions, *, relative: bool, resamples: int, confidence: float, seed: int
) -> dict[str, Interval]:
    """Every figure that is defined, with its bootstrap interval."""
    points = figures(predictions, relative=relative)
    functions = statistics(predictions.targets, predictions.values, relative=relative)
    drawn = bootstrap(
        list(functions.values()), len(predictions.ids), resamples=resamples, confidence=confidence, seed=seed
    )
    found = {name: interval._replace(value=points[name]) for name, interval in zip(functions, drawn, strict=True)}
    return {name: interval for name, interval in found.items() if np.isfinite(interval).all()}


def is_relative(targets: Floats, minimum: float) -> bool:
    """Whether an error as a share of the target means anything: all targets, those of training included, are above 0.

    Args:
        minimum: smallest target of the training rows.
    """
    return minimum > 0 and bool((targets > 0).all())
