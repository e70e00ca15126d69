"""How far the figures of a classifier can be trusted: an interval around each of the main ones."""

from collections.abc import Iterable

import numpy as np

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.metrics.intervals import Interval, bootstrap, wilson
from stagewise.metrics.weighted import F1, CalibrationError, MacroAuroc, MacroF1, Statistic
from stagewise.tasks.classification.predictions import Predictions
from stagewise.tasks.classification.scores import class_keys, ranks


def ranges(
    predictions: Predictions, names: list[str], top_k: Iterable[int], settings: EvaluateSection, seed: int
) -> dict[str, Interval]:
    """Intervals by the name of their figure: Wilson's of proportions, from resamples of the rows of all others.

    Accuracy, top-k, macro F1, macro AUROC and calibration error have one; with two classes F1, precision and recall of
    each as well. A figure that is undefined on these rows has none.

    Args:
        names: of the classes.
        settings: confidence, resamples, bins.
        seed: of the resamples.
    """
    statistics = _statistics(predictions, names, settings.calibration_bins)
    resampled = bootstrap(
        list(statistics.values()),
        len(predictions.ids),
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=seed,
    )
    counts = _counts(predictions, names, top_k)
    found = {
        **{name: wilson(right, total, settings.confidence) for name, (right, total) in counts.items()},
        **dict(zip(statistics, resampled, strict=True)),
    }
    return {name: interval for name, interval in found.items() if np.isfinite(interval).all()}


def _counts(predictions: Predictions, names: list[str], top_k: Iterable[int]) -> dict[str, tuple[int, int]]:
    """Proportions as how many of how many rows."""
    targets, labels, right = predictions.targets, predictions.labels, predictions.correct
    place = ranks(targets, predictions.probabilities)
    found = {"accuracy": right, **{f"top_{k}": place < k for k in top_k}}
    if len(names) == 2:
        keys = list(enumerate(class_keys(names)))
        found |= {f"precision_{key}": right[labels == index] for index, key in keys}
        found |= {f"recall_{key}": right[targets == index] for index, key in keys}
    return {name: (int(hits.sum()), len(hits)) for name, hits in found.items()}


def _statistics(predictions: Predictions, names: list[str], bins: int) -> dict[str, Statistic]:
    targets, labels = predictions.targets, predictions.labels
    found: dict[str, Statistic] = {
        "f1_macro": MacroF1(targets, labels, len(names)),
        "auroc": MacroAuroc(targets, predictions.probabilities),
        "calibration_error": CalibrationError(predictions.confidence, predictions.correct, bins),
    }
    if len(names) == 2:
        found |= {f"f1_{key}": F1(targets, labels, index) for index, key in enumerate(class_keys(names))}
    return found
