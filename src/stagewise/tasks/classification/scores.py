"""What the report says of each class and each bin of confidence, and the names of the figures of a class."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stagewise.metrics.intervals import Interval, wilson
from stagewise.metrics.weighted import bin_index
from stagewise.tasks.classification.predictions import Predictions

_ENDS = ("low", "high")
_AVERAGES = ("macro", "weighted")


@dataclass(frozen=True, slots=True)
class Shares:
    """Scores of all classes, each ``(classes,)``; one that is undefined is NaN.

    Attributes:
        precision: of the rows with this label, the share that is right.
        recall: of the rows of this class, the share that is found.
        f1: harmonic mean of the two.
        auroc: of this class against all others.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    auroc: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some rows.

    Attributes:
        flat: by name; one that is undefined is NaN.
        shares: of each class.
        matrix: counts ``(classes, classes)``, row is the target.
    """

    flat: dict[str, float]
    shares: Shares
    matrix: NDArray[np.int64]


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


def class_scores(figures: Figures, names: list[str], confidence: float) -> list[ClassScores]:
    """The counts and scores of every class, with Wilson intervals of precision and recall."""
    matrix, shares = figures.matrix, figures.shares
    scores = []
    for index, name in enumerate(names):
        right, rows, predicted = (int(x) for x in (matrix[index, index], matrix[index].sum(), matrix[:, index].sum()))
        scores.append(
            ClassScores(
                name=name,
                rows=rows,
                predicted=predicted,
                precision=wilson(right, predicted, confidence)._replace(value=float(shares.precision[index])),
                recall=wilson(right, rows, confidence)._replace(value=float(shares.recall[index])),
                f1=float(shares.f1[index]),
                auroc=float(shares.auroc[index]),
            )
        )
    return scores


def class_keys(names: list[str]) -> list[str]:
    """How the figures of each class are called: ``f1_<key>``.

    A key is the class name in lower case, with an underscore for whatever is no letter or digit. Where several names
    give one key, or a key means something else (``f1_macro``; ``f1_low`` would be the lower end of an interval), the
    number of the class is appended.
    """
    words = [re.sub(r"[\W_]+", "_", name.lower()).strip("_") for name in names]
    count = Counter(words)
    keys: list[str] = []
    for index, word in enumerate(words):
        clear = word and word not in _AVERAGES and count[word] == 1 and word.rpartition("_")[2] not in _ENDS
        key = word if clear else f"{word}_{index}".strip("_")
        while key in keys:
            key = f"{key}_{index}"
        keys.append(key)
    return keys


def ranks(targets: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.int64]:
    """Place of the target among the classes, from 0; among equal probabilities the lower class comes first."""
    own = probabilities[np.arange(len(targets)), targets][:, None]
    before = np.arange(probabilities.shape[1])[None, :] < targets[:, None]
    return np.asarray(((probabilities > own) | ((probabilities == own) & before)).sum(axis=1))


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
