"""Evaluation of a classifier: what is measured, written and shown on the page."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.rows import Rows
from stagewise.data.schema import DataSchema
from stagewise.metrics.intervals import Interval
from stagewise.report import pictures
from stagewise.report.displays.display import Display
from stagewise.report.tables import write_csv
from stagewise.tasks.classification.charts import calibration_chart, interval_dot
from stagewise.tasks.classification.intervals import ranges
from stagewise.tasks.classification.predictions import Predictions, predict, write_predictions
from stagewise.tasks.classification.scores import CalibrationBin, ClassScores, Figures, calibration, class_scores

_SHOWN = 30
"""Most classes that a matrix or a table on the page still shows legibly."""
_COMPARED = ("accuracy", "f1_macro", "auroc", "calibration_error")


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

    answers = "class"
    template = Path(__file__).with_suffix(".html.jinja")
    bounds = (0.0, 1.0)
    """Range of every figure that ``compare`` returns."""

    def __init__(self, schema: DataSchema, settings: EvaluateSection, seed: int, display: Display) -> None:
        self._display = display
        self._schema = schema
        self._names = schema.classes
        self._settings = settings
        self._seed = seed

    def calibrate(self, inference: nn.Module, rows: Rows) -> None:
        """Nothing: every figure is of the test rows alone."""

    def answers_of(self, predictions: Predictions) -> NDArray[np.float32]:
        """Probabilities ``(n, classes)``."""
        return predictions.probabilities

    def predict(self, inference: nn.Module, rows: Rows) -> Predictions:
        """The answers for ``rows``."""
        return predict(inference, rows, self._settings.batch_size)

    def compare(self, predictions: Predictions) -> dict[str, float]:
        """The few figures by which the folds of a cross-validation are compared."""
        found = self._figures(predictions).flat
        return {name: found[name] for name in _COMPARED}

    def measure(self, predictions: Predictions) -> ClassificationResult:
        """All figures with their intervals."""
        found = self._figures(predictions)
        figures = {name: value for name, value in found.flat.items() if np.isfinite(value)}
        around = ranges(predictions, self._names, self._top_k, self._settings, self._seed)
        intervals = {n: around[n]._replace(value=value) for n, value in figures.items() if n in around}
        others = {name: value for name, value in figures.items() if name not in intervals}
        return ClassificationResult(
            predictions=predictions,
            metrics={"rows": len(predictions.ids), **_flat(intervals), **others},
            intervals=intervals,
            matrix=found.matrix,
            classes=class_scores(found, self._names, self._settings.confidence),
            bins=calibration(predictions, self._settings.calibration_bins),
        )

    def write(self, result: ClassificationResult, rows: Rows, out: Path) -> None:
        """Write predictions.parquet into ``out``, and into ``out``/figures the tables and the worst mistakes."""
        predictions, names, figures = result.predictions, self._names, out / "figures"
        write_predictions(predictions, names, out / "predictions.parquet")
        pairs = zip(predictions.targets, predictions.labels, strict=True)
        write_csv(figures / "confusion.csv", ("actual", "predicted"), ((names[t], names[p]) for t, p in pairs))
        bins = ((i, b.confidence, b.accuracy, b.count) for i, b in enumerate(result.bins) if b.count)
        write_csv(figures / "calibration.csv", ("bin", "confidence", "accuracy", "count"), bins)
        classes = ((s.name, s.rows, s.predicted, *s.precision, *s.recall, s.f1, s.auroc) for s in result.classes)
        write_csv(figures / "classes.csv", _CLASS_COLUMNS, classes)
        mistakes = self._mistakes(result, rows)
        listed = ((m.id, m.actual, m.predicted, m.confidence, m.text) for m in mistakes)
        write_csv(figures / "mistakes.csv", ("id", "actual", "predicted", "confidence", "input"), listed)
        tiles = [
            (m.pixels, f"is {m.actual}", f"read as {m.predicted}, {m.confidence:.1%}")
            for m in mistakes
            if m.pixels is not None
        ]
        if self._display.draws:
            pictures.grid(tiles).save(figures / "mistakes.png", optimize=True)

    def page(self, result: ClassificationResult, rows: Rows) -> dict[str, Any]:
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
            "listed": [(s, interval_dot(s.recall, floor)) for s in listed],
            "floor": floor,
            "calibration": calibration_chart(result.bins, self._settings.confidence),
            "mistakes": [
                (m, None if m.pixels is None else pictures.data_uri(m.pixels)) for m in self._mistakes(result, rows)
            ],
        }

    @property
    def _top_k(self) -> list[int]:
        """k = 1 is the accuracy, and with k classes nothing can be wrong."""
        return sorted({k for k in self._settings.top_k if 1 < k < len(self._names)})

    def _figures(self, predictions: Predictions) -> Figures:
        # Importing torchmetrics takes seconds, and only an evaluation needs it.
        from stagewise.tasks.classification.figures import measure

        return measure(predictions, self._names, self._top_k, self._settings.calibration_bins)

    def _mistakes(self, result: ClassificationResult, rows: Rows) -> list["Mistake"]:
        """The most confident mistakes; among equals the earlier row first."""
        predictions = result.predictions
        wrong = np.flatnonzero(~predictions.correct)
        order = np.argsort(-predictions.confidence[wrong], kind="stable")[: self._settings.worst]
        worst = wrong[order]
        return [
            Mistake(
                id=predictions.ids[row],
                text=self._display.text(value),
                pixels=self._display.picture(value),
                actual=self._names[predictions.targets[row]],
                predicted=self._names[predictions.labels[row]],
                confidence=float(predictions.confidence[row]),
            )
            for row, value in zip(worst, rows.take(worst), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row that was predicted wrong, as words and, where the kind of input can be drawn, as pixels ``(H, W, C)``."""

    id: str
    text: str
    pixels: NDArray[np.uint8] | None
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
