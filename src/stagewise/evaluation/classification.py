"""Evaluation of a classifier: what is measured, written and shown on the page."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.schema import DataSchema
from stagewise.data.storage import SplitReader
from stagewise.evaluation import charts, pictures
from stagewise.evaluation.intervals import Interval, bootstrap, wilson
from stagewise.evaluation.predictions import Predictions, predict, write_predictions
from stagewise.evaluation.scores import (
    CalibrationBin,
    ClassScores,
    averages,
    calibration,
    class_scores,
    confusion_matrix,
    likelihood,
    ranks,
)
from stagewise.evaluation.tables import write_csv
from stagewise.evaluation.weighted import CalibrationError, MacroAuroc, MacroF1, Statistic

_SHOWN = 30
"""Most classes that a matrix or a table on the page still shows legibly."""


@dataclass(frozen=True, slots=True)
class ClassificationResult:
    """All that was measured.

    Attributes:
        metrics: flat figures for metrics.json; one that is undefined (AUROC with one class) is absent.
        intervals: the figures that have one, by name.
        matrix: counts ``(classes, classes)``, row is the target.
        classes: scores of each class, in the order of the labels.
        bins: the calibration diagram.
    """

    predictions: Predictions
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    matrix: NDArray[np.int64]
    classes: list[ClassScores]
    bins: list[CalibrationBin]


class ClassificationEvaluation:
    """Accuracy and its relatives, calibration, confusions and the worst mistakes of a classifier."""

    template = "classification.html.jinja"
    bounds = (0.0, 1.0)
    """Range of every figure that ``compare`` returns."""

    def __init__(self, schema: DataSchema, settings: EvaluateSection, seed: int) -> None:
        self._schema = schema
        self._names = schema.target.classes
        self._settings = settings
        self._seed = seed

    def predict(self, inference: nn.Module, rows: SplitReader) -> Predictions:
        """The answers for ``rows``."""
        return predict(inference, rows, self._settings.batch_size)

    def compare(self, predictions: Predictions) -> dict[str, float]:
        """The few figures by which the folds of a cross-validation are compared."""
        ones = np.ones((len(predictions.ids), 1))
        figures = {name: float(statistic(ones)[0]) for name, statistic in self._statistics(predictions).items()}
        return {"accuracy": float(predictions.correct.mean()), **figures}

    def measure(self, predictions: Predictions) -> ClassificationResult:
        """All figures with their intervals."""
        intervals = {**self._proportions(predictions), **self._resampled(predictions)}
        scores = class_scores(predictions, self._names, self._settings.confidence)
        figures = {**averages(scores), **likelihood(predictions)}
        others = {name: value for name, value in figures.items() if name not in intervals}
        return ClassificationResult(
            predictions=predictions,
            metrics={"rows": len(predictions.ids), **_flat(intervals), **others},
            intervals=intervals,
            matrix=confusion_matrix(predictions.targets, predictions.labels, len(self._names)),
            classes=scores,
            bins=calibration(predictions, self._settings.calibration_bins),
        )

    def write(self, result: ClassificationResult, rows: SplitReader, out: Path) -> None:
        """Write predictions.parquet, confusion.csv, classes.csv, calibration.csv and mistakes.png into ``out``."""
        predictions, names = result.predictions, self._names
        write_predictions(predictions, names, out / "predictions.parquet")
        pairs = zip(predictions.targets, predictions.labels, strict=True)
        write_csv(out / "confusion.csv", ("actual", "predicted"), ((names[t], names[p]) for t, p in pairs))
        bins = ((i, b.confidence, b.accuracy, b.count) for i, b in enumerate(result.bins) if b.count)
        write_csv(out / "calibration.csv", ("bin", "confidence", "accuracy", "count"), bins)
        classes = ((s.name, s.rows, s.predicted, *s.precision, *s.recall, s.f1, s.auroc) for s in result.classes)
        write_csv(out / "classes.csv", _CLASS_COLUMNS, classes)
        tiles = [
            (m.pixels, f"is {m.actual}", f"read as {m.predicted}, {m.confidence:.1%}")
            for m in self._mistakes(result, rows)
        ]
        pictures.grid(tiles).save(out / "mistakes.png", optimize=True)

    def page(self, result: ClassificationResult, rows: SplitReader) -> dict[str, Any]:
        """What the template needs beyond what every report has."""
        total, right = len(result.predictions.ids), int(result.predictions.correct.sum())
        listed = sorted(result.classes, key=lambda s: (s.recall.value if s.rows else 2.0, s.name))[:_SHOWN]
        floor = min([0.9, *(s.recall.low for s in listed if s.rows)]) // 0.1 / 10
        return {
            "result": result,
            "total": total,
            "right": right,
            "confusions": _confusions(result.matrix, self._names),
            "matrix": _heat(result.matrix) if len(self._names) <= _SHOWN else None,
            "classes": self._names,
            "listed": [(s, charts.interval_dot(s.recall, floor)) for s in listed],
            "floor": floor,
            "calibration": charts.calibration_chart(result.bins, self._settings.confidence),
            "mistakes": [(m, pictures.data_uri(m.pixels)) for m in self._mistakes(result, rows)],
        }

    def _proportions(self, predictions: Predictions) -> dict[str, Interval]:
        total, confidence = len(predictions.ids), self._settings.confidence
        intervals = {"accuracy": wilson(int(predictions.correct.sum()), total, confidence)}
        place = ranks(predictions.targets, predictions.probabilities)
        # k = 1 is the accuracy, and with k classes nothing can be wrong.
        for k in sorted({k for k in self._settings.top_k if 1 < k < len(self._names)}):
            intervals[f"top_{k}"] = wilson(int((place < k).sum()), total, confidence)
        return intervals

    def _resampled(self, predictions: Predictions) -> dict[str, Interval]:
        statistics = self._statistics(predictions)
        found = bootstrap(
            list(statistics.values()),
            len(predictions.ids),
            resamples=self._settings.resamples,
            confidence=self._settings.confidence,
            seed=self._seed,
        )
        return {name: value for name, value in zip(statistics, found, strict=True) if not np.isnan(value.value)}

    def _statistics(self, predictions: Predictions) -> dict[str, Statistic]:
        return {
            "f1_macro": MacroF1(predictions.targets, predictions.labels, len(self._names)),
            "auroc": MacroAuroc(predictions.targets, predictions.probabilities),
            "calibration_error": CalibrationError(
                predictions.confidence, predictions.correct, self._settings.calibration_bins
            ),
        }

    def _mistakes(self, result: ClassificationResult, rows: SplitReader) -> list["Mistake"]:
        """The most confident mistakes; among equals the earlier row first."""
        predictions = result.predictions
        wrong = np.flatnonzero(~predictions.correct)
        order = np.argsort(-predictions.confidence[wrong], kind="stable")[: self._settings.worst]
        worst = wrong[order]
        return [
            Mistake(
                id=predictions.ids[row],
                pixels=pixels,
                actual=self._names[predictions.targets[row]],
                predicted=self._names[predictions.labels[row]],
                confidence=float(predictions.confidence[row]),
            )
            for row, pixels in zip(worst, rows.take(worst), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row that was predicted wrong; ``pixels`` is uint8 ``(H, W, C)``."""

    id: str
    pixels: NDArray[np.uint8]
    actual: str
    predicted: str
    confidence: float


_CLASS_COLUMNS = (
    "class",
    "rows",
    "predicted",
    "precision",
    "precision_low",
    "precision_high",
    "recall",
    "recall_low",
    "recall_high",
    "f1",
    "auroc",
)


def _flat(intervals: dict[str, Interval]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, interval in intervals.items():
        flat |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return flat


def _confusions(matrix: NDArray[np.int64], names: list[str], limit: int = 8) -> list[tuple[str, str, int, int]]:
    """(target, label, count, rows of the target) of the most frequent mistakes."""
    counts = Counter({(int(t), int(p)): int(matrix[t, p]) for t, p in zip(*np.nonzero(matrix), strict=True) if t != p})
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return [(names[t], names[p], count, int(matrix[t].sum())) for (t, p), count in ordered]


def _heat(matrix: NDArray[np.int64]) -> list[list[tuple[int, str]]]:
    """(count, style class) of each cell: the share of its row in five steps, finer for small shares."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    levels = np.minimum(np.ceil(np.sqrt(shares) * 5), 5).astype(int)
    kinds = np.where(np.eye(len(matrix), dtype=bool), "hit", "miss")
    return [
        [(int(count), f"{kind}{level}") for count, kind, level in zip(*row, strict=True)]
        for row in zip(matrix, kinds, levels, strict=True)
    ]
