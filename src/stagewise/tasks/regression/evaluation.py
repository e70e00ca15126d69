"""Evaluation of predicted numbers: what is measured, written and shown on the page."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, log10
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.rows import Rows
from stagewise.data.schema import DataSchema
from stagewise.data.targets.entries import NumberEntry
from stagewise.metrics.intervals import Interval, wilson
from stagewise.report.displays.display import Display
from stagewise.report.tables import write_csv
from stagewise.tasks.regression import charts
from stagewise.tasks.regression.charts import Coverage
from stagewise.tasks.regression.conformal import Conformal
from stagewise.tasks.regression.predictions import Floats, Predictions, predict, write_predictions
from stagewise.tasks.regression.scores import figures, intervals, is_relative

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Levels of the prediction intervals that are tried on the test rows."""


@dataclass(frozen=True, slots=True)
class RegressionResult:
    """All that was measured.

    Attributes:
        metrics: flat figures for metrics.json; one that is undefined is absent.
        intervals: the figures that have one, by name.
        coverages: what the prediction intervals promise and keep, by ascending level; empty without validation rows.
        calibrated_on: how many validation rows they come from.
    """

    predictions: Predictions
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    coverages: list[Coverage]
    calibrated_on: int


@dataclass(frozen=True, slots=True)
class Miss:
    """A row that was predicted far off, in words."""

    id: str
    actual: float
    predicted: float
    text: str


class RegressionEvaluation:
    """Errors in the target's unit with their intervals, prediction intervals, and the rows that are furthest off."""

    answers = "number"
    template = Path(__file__).with_name("evaluation.html.jinja")
    bounds = (float("-inf"), float("inf"))
    """Range of every figure that ``compare`` returns."""

    def __init__(self, schema: DataSchema, settings: EvaluateSection, seed: int, display: Display) -> None:
        self._target = schema.target.narrow(NumberEntry)
        self._schema, self._settings, self._seed, self._display = schema, settings, seed, display
        self._conformal: Conformal | None = None

    def calibrate(self, inference: nn.Module, rows: Rows) -> None:
        """Learn from the validation rows how wide prediction intervals must be; without this there are none."""
        held_out = predict(inference, rows, self._settings.batch_size)
        self._conformal = Conformal.of(held_out, self._target.transform) if len(held_out.ids) else None

    def predict(self, inference: nn.Module, rows: Rows) -> Predictions:
        """The answers for ``rows``."""
        return predict(inference, rows, self._settings.batch_size)

    def answers_of(self, predictions: Predictions) -> Floats:
        """The predicted numbers ``(n,)``: what a baseline and figures by group are made from."""
        return predictions.values

    def compare(self, predictions: Predictions) -> dict[str, float]:
        """The few figures by which the folds of a cross-validation are compared."""
        found = figures(predictions, relative=False)
        return {name: found[name] for name in ("rmse", "mae", "median_absolute_error", "r2")}

    def measure(self, predictions: Predictions) -> RegressionResult:
        """All figures with their intervals."""
        settings = self._settings
        found = intervals(
            predictions,
            relative=is_relative(predictions.targets, self._target.minimum),
            resamples=settings.resamples,
            confidence=settings.confidence,
            seed=self._seed,
        )
        coverages = self._coverages(predictions)
        return RegressionResult(
            predictions=predictions,
            metrics={"rows": len(predictions.ids), **_flat(found), **self._promised(coverages)},
            intervals=found,
            coverages=coverages,
            calibrated_on=len(self._conformal.sizes) if self._conformal else 0,
        )

    def write(self, result: RegressionResult, rows: Rows, out: Path) -> None:
        """Write predictions.parquet into ``out``, and into ``out``/figures what the charts and the list are made of."""
        predictions, folder = result.predictions, out / "figures"
        write_predictions(predictions, self._ends(result), out / "predictions.parquet")
        pairs = zip(predictions.targets, predictions.values, strict=True)
        write_csv(folder / "actual.csv", ("actual", "predicted"), pairs)
        edges, counts = charts.residual_bins(predictions.errors)
        bars = zip(edges[:-1], edges[1:], counts, strict=True)
        write_csv(folder / "residuals.csv", ("low", "high", "rows"), bars)
        covered = ((c.level, c.half_width, *c.kept) for c in result.coverages)
        write_csv(folder / "intervals.csv", ("level", "half_width", "kept", "kept_low", "kept_high"), covered)
        misses = ((m.id, m.actual, m.predicted, m.predicted - m.actual, m.text) for m in self._misses(result, rows))
        write_csv(folder / "misses.csv", ("id", "actual", "predicted", "error", "input"), misses)

    def page(self, result: RegressionResult, rows: Rows) -> dict[str, Any]:
        """What the template needs beyond what every report has."""
        predictions, unit = result.predictions, self._target.unit
        return {
            "result": result,
            "total": len(predictions.ids),
            "target": self._target,
            "amount": amounts(predictions.targets, unit),
            "span": (float(predictions.targets.min()), float(predictions.targets.max())),
            "actual_chart": charts.actual_chart(predictions.targets, predictions.values, unit),
            "residual_chart": charts.residual_chart(predictions.errors, unit),
            "coverage_chart": charts.coverage_chart(result.coverages) if result.coverages else None,
            "chosen": self._chosen(result.coverages),
            "misses": self._misses(result, rows),
        }

    def _coverages(self, predictions: Predictions) -> list[Coverage]:
        """At every level for which there are validation rows enough."""
        if self._conformal is None:
            return []
        levels = [level for level in sorted({*LEVELS, self._settings.confidence}) if self._conformal.reaches(level)]
        return [self._coverage(self._conformal, predictions, level) for level in levels]

    def _coverage(self, conformal: Conformal, predictions: Predictions, level: float) -> Coverage:
        low, high = conformal.interval(predictions.values, level)
        kept = int(((low <= predictions.targets) & (predictions.targets <= high)).sum())
        half_width = float((high - low).mean() / 2)
        return Coverage(level, half_width, wilson(kept, len(predictions.ids), self._settings.confidence))

    def _chosen(self, coverages: list[Coverage]) -> Coverage | None:
        """That of ``evaluate.confidence``, or of the highest level there is."""
        within = [one for one in coverages if one.level <= self._settings.confidence]
        return within[-1] if within else None

    def _promised(self, coverages: list[Coverage]) -> dict[str, float]:
        one = self._chosen(coverages)
        if one is None:
            return {}
        promised = {"level": one.level, "half_width": one.half_width, "coverage": one.kept.value}
        promised |= {"coverage_low": one.kept.low, "coverage_high": one.kept.high}
        return {f"interval_{name}": value for name, value in promised.items()}

    def _ends(self, result: RegressionResult) -> tuple[Floats, Floats] | None:
        one = self._chosen(result.coverages)
        if one is None or self._conformal is None:
            return None
        return self._conformal.interval(result.predictions.values, one.level)

    def _misses(self, result: RegressionResult, rows: Rows) -> list[Miss]:
        """The rows furthest off; among equals the earlier row first."""
        predictions = result.predictions
        worst = np.argsort(-np.abs(predictions.errors), kind="stable")[: self._settings.worst]
        return [
            Miss(
                id=predictions.ids[row],
                actual=float(predictions.targets[row]),
                predicted=float(predictions.values[row]),
                text=self._display.text(value),
            )
            for row, value in zip(worst, rows.take(worst), strict=True)
        ]


def amounts(targets: Any, unit: str) -> Callable[[float], str]:
    """A function that writes a number with its unit, to as many digits as the spread of ``targets`` makes sensible."""
    spread = float(np.std(targets)) or float(np.abs(targets).max()) or 1.0
    digits = max(0, 3 - floor(log10(spread)))

    def amount(number: float, *, signed: bool = False, bare: bool = False) -> str:
        text = f"{number:{'+' if signed else ''},.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")
        return text if bare or not unit else f"{text}\u00a0{unit}"

    return amount


def _flat(found: dict[str, Interval]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, interval in found.items():
        flat |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return flat
