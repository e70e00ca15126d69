"""Figures of a classifier that need no resampling: counts, per-class scores, top-k, likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stagewise.evaluation.intervals import Interval, wilson
from stagewise.evaluation.predictions import Predictions
from stagewise.evaluation.weighted import Auroc, bin_index

_SMALLEST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """What is known of one class; a share without rows is NaN."""

    name: str
    rows: int
    predicted: int
    precision: Interval
    recall: Interval
    f1: float
    auroc: float


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows whose confidence lies in [low, high)."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def confusion_matrix(targets: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts ``(classes, classes)``: row is the target, column the label."""
    return np.bincount(targets * classes + labels, minlength=classes**2).reshape(classes, classes)


def class_scores(predictions: Predictions, names: list[str], confidence: float) -> list[ClassScores]:
    """Precision and recall with Wilson intervals, F1 and one-versus-rest AUROC of every class."""
    matrix = confusion_matrix(predictions.targets, predictions.labels, len(names))
    scores = []
    for index, name in enumerate(names):
        right, rows, predicted = (int(x) for x in (matrix[index, index], matrix[index].sum(), matrix[:, index].sum()))
        auroc = Auroc(predictions.probabilities[:, index], predictions.targets == index)
        scores.append(
            ClassScores(
                name=name,
                rows=rows,
                predicted=predicted,
                precision=wilson(right, predicted, confidence),
                recall=wilson(right, rows, confidence),
                f1=2 * right / (rows + predicted) if rows + predicted else float("nan"),
                auroc=float(auroc(np.ones((len(predictions.targets), 1)))[0]),
            )
        )
    return scores


def averages(scores: list[ClassScores]) -> dict[str, float]:
    """Macro and weighted means of precision, recall and F1.

    Classes that occur neither as target nor as label are left out; an undefined share of the others counts as zero.
    """
    present = [s for s in scores if s.rows + s.predicted]
    rows = np.array([s.rows for s in present], dtype=np.float64)
    figures = {
        "precision": [s.precision.value for s in present],
        "recall": [s.recall.value for s in present],
        "f1": [s.f1 for s in present],
    }
    means = {}
    for name, values in figures.items():
        known = np.nan_to_num(np.array(values, dtype=np.float64))
        means[f"{name}_macro"] = float(known.mean())
        means[f"{name}_weighted"] = float(known @ rows / rows.sum())
    return means


def ranks(targets: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """Place of the target among the classes, from 0; among equal probabilities the lower class comes first."""
    own = probabilities[np.arange(len(targets)), targets][:, None]
    before = np.arange(probabilities.shape[1])[None, :] < targets[:, None]
    return np.asarray(((probabilities > own) | ((probabilities == own) & before)).sum(axis=1))


def likelihood(predictions: Predictions) -> dict[str, float]:
    """Mean negative log-likelihood (nats; probabilities floored at float32's epsilon) and Brier score (0 to 2)."""
    own = predictions.probabilities[np.arange(len(predictions.targets)), predictions.targets].astype(np.float64)
    squares = np.square(predictions.probabilities, dtype=np.float64).sum(axis=1)
    return {
        "nll": float(-np.log(np.clip(own, _SMALLEST, 1.0)).mean()),
        "brier": float((squares - 2 * own + 1).mean()),
    }


def calibration(predictions: Predictions, bins: int) -> list[CalibrationBin]:
    """Mean confidence and accuracy per bin of confidence; NaN for a bin without rows."""
    index = bin_index(predictions.confidence, bins)
    counts = np.bincount(index, minlength=bins)
    confidence = np.bincount(index, predictions.confidence, bins)
    correct = np.bincount(index, predictions.correct, bins)
    return [
        CalibrationBin(
            low=b / bins,
            high=(b + 1) / bins,
            count=int(counts[b]),
            confidence=float(confidence[b] / counts[b]) if counts[b] else float("nan"),
            accuracy=float(correct[b] / counts[b]) if counts[b] else float("nan"),
        )
        for b in range(bins)
    ]
