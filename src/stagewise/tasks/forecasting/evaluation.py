"""Evaluation of forecasts: what is measured, written and shown on the page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge
from markupsafe import Markup
from torch import nn

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.features.series_entry import SeriesEntry, SeriesTarget
from stagewise.data.schema import DataSchema
from stagewise.data.series.windows import WindowReader
from stagewise.errors import ConfigError
from stagewise.metrics.intervals import Interval
from stagewise.report.displays.display import Display
from stagewise.report.tables import write_csv
from stagewise.tasks.forecasting.charts import example_chart, step_chart
from stagewise.tasks.forecasting.predictions import (
    FORECASTERS,
    Predictions,
    predict,
    repeat_season,
    write_predictions,
)
from stagewise.tasks.forecasting.scores import VariableScores, by_step, by_variable, intervals, mean_mase

EXAMPLES = {"easy": 0.1, "typical": 0.5, "hard": 0.9}
"""Windows that are shown: the share of kept windows that were forecast better."""


@dataclass(frozen=True, slots=True)
class ForecastingResult:
    """All that was measured.

    Attributes:
        metrics: flat figures for metrics.json; one that is undefined is absent.
        intervals: the figures that have one, by name; the ends are NaN where there are too few blocks.
        variables: errors by variable.
        blocks: how many blocks of windows the intervals come from.
    """

    predictions: Predictions
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    variables: list[VariableScores]
    blocks: int


@dataclass(frozen=True, slots=True)
class Example:
    """A window that is shown: how well it was forecast, its name, and a chart by variable."""

    kind: str
    id: str
    mse: float
    charts: list[tuple[str, Markup]]


class ForecastingEvaluation:
    """Errors on the standardised scale and in units, by step and by variable, beside naive forecasts.

    Args:
        schema, settings, seed, display: see ``stagewise.evaluation.protocol.Evaluation``.
        published: MSE and MAE of others on the same test rows, on the standardised scale, by name; shown beside.

    Raises:
        ConfigError: a published figure is neither ``mse`` nor ``mae``, or negative.
    """

    answers = "series"
    template = Path(__file__).with_suffix(".html.jinja")
    bounds = (0.0, float("inf"))
    """Range of every figure that ``compare`` returns."""

    def __init__(
        self,
        schema: DataSchema,
        settings: EvaluateSection,
        seed: int,
        display: Display,
        *,
        published: dict[str, dict[Literal["mse", "mae"], Annotated[float, Ge(0)]]] | None = None,
    ) -> None:
        del display  # a window is shown by its chart
        self._entry = schema.feature.narrow(SeriesEntry)
        self._target = schema.target.narrow(SeriesTarget)
        self._settings, self._seed = settings, seed
        self._published = published or {}
        for name, figures in self._published.items():
            if wrong := [key for key, value in figures.items() if key not in ("mse", "mae") or not value >= 0]:
                where = f"task.evaluation.published.{name}"
                raise ConfigError(f"{wrong[0]} is no published figure", where=where, fix="write {mse: 0.4, mae: 0.4}")

    def calibrate(self, inference: nn.Module, rows: WindowReader) -> None:
        """Nothing: every figure is of the test windows alone."""

    def predict(self, inference: nn.Module, rows: WindowReader) -> Predictions:
        """What is known of the forecasts for ``rows``."""
        return predict(inference, rows, self._target, self._settings.batch_size)

    def compare(self, predictions: Predictions) -> dict[str, float]:
        """The few figures by which runs are compared."""
        model = predictions.errors["model"]
        return {"mse": model.mse, "mae": model.mae}

    def measure(self, predictions: Predictions) -> ForecastingResult:
        """All figures with their intervals."""
        settings = self._settings
        found = intervals(predictions, resamples=settings.resamples, confidence=settings.confidence, seed=self._seed)
        variables = by_variable(predictions, self._target)
        return ForecastingResult(
            predictions=predictions,
            metrics={"rows": len(predictions.ids), **_flat(found), **self._others(predictions, variables)},
            intervals=found,
            variables=variables,
            blocks=int(predictions.blocks.max()) + 1,
        )

    def write(self, result: ForecastingResult, rows: WindowReader, out: Path) -> None:
        """Write predictions.parquet into ``out``, and into ``out``/figures the errors by step, variable, forecaster."""
        predictions, folder = result.predictions, out / "figures"
        write_predictions(predictions, out / "predictions.parquet")
        steps = by_step(predictions)
        names = [f"{name}_{figure}" for name in FORECASTERS for figure in ("mse", "mae")]
        columns = np.stack([values for name in FORECASTERS for values in steps[name]], 1)
        write_csv(
            folder / "steps.csv", ("step", *names), ((step, *row) for step, row in enumerate(columns.tolist(), 1))
        )
        write_csv(folder / "variables.csv", _VARIABLE_COLUMNS, (_variable_row(score) for score in result.variables))
        write_csv(folder / "comparison.csv", ("forecaster", "mse", "mae"), self._comparison(predictions))
        write_csv(folder / "examples.csv", _EXAMPLE_COLUMNS, self._example_rows(predictions, rows))

    def page(self, result: ForecastingResult, rows: WindowReader) -> dict[str, Any]:
        """What the template needs beyond what every report has."""
        predictions = result.predictions
        curves = {name: squares for name, (squares, _) in by_step(predictions).items()}
        return {
            "result": result,
            "total": len(predictions.ids),
            "entry": self._entry,
            "comparison": self._comparison(predictions),
            "published": self._published,
            "step_chart": step_chart(curves, "Mean squared error"),
            "examples": self._examples(result, rows),
            "kept": len(predictions.kept.indices),
        }

    def _others(self, predictions: Predictions, variables: list[VariableScores]) -> dict[str, float]:
        others = {"mase": mean_mase(variables)}
        for name in FORECASTERS[1:]:
            errors = predictions.errors[name]
            others |= {f"{name}_mse": errors.mse, f"{name}_mae": errors.mae}
        if len(variables) == 1:
            others |= {"rmse_in_unit": variables[0].rmse, "mae_in_unit": variables[0].mae}
        return {name: value for name, value in others.items() if np.isfinite(value)}

    def _comparison(self, predictions: Predictions) -> list[tuple[str, float, float]]:
        """(name, MSE, MAE) of all forecasters, the best MSE first; NaN for a figure that was not published."""
        found = [(_NAMES[name], errors.mse, errors.mae) for name, errors in predictions.errors.items()]
        nothing = float("nan")
        found += [(name, f.get("mse", nothing), f.get("mae", nothing)) for name, f in self._published.items()]
        return sorted(found, key=lambda item: (np.isnan(item[1]), item[1], item[0]))

    def _chosen(self, predictions: Predictions) -> dict[str, int]:
        """Place among the kept windows of each that is shown."""
        kept = predictions.kept.indices
        errors = (predictions.errors["model"].window_squares / predictions.counts)[kept]
        order = np.argsort(errors, kind="stable")
        return {kind: int(order[round(share * (len(kept) - 1))]) for kind, share in EXAMPLES.items()}

    def _shown(self, variables: list[VariableScores]) -> list[int]:
        """The variables that are easiest and hardest to forecast."""
        known = [place for place, score in enumerate(variables) if np.isfinite(score.standard_mse)]
        order = sorted(known, key=lambda place: variables[place].standard_mse)
        return list(dict.fromkeys([order[0], order[-1]])) if order else []

    def _examples(self, result: ForecastingResult, rows: WindowReader) -> list[Example]:
        predictions, kept = result.predictions, result.predictions.kept
        examples = []
        for kind, place in self._chosen(predictions).items():
            window = int(kept.indices[place])
            inputs = rows.take(np.array([window]))
            naive = repeat_season(inputs, self._target)[0]
            seen = min(self._entry.lookback, max(self._entry.horizon, 2 * self._entry.season))
            charts = []
            for column in self._shown(result.variables):
                history, truth, forecast, repeated = (
                    values[:, column].astype(np.float64)
                    for values in (inputs[0, -seen:], kept.truths[place], kept.forecasts[place], naive)
                )
                name = self._target.variables[column]
                title = f"{name}, {predictions.ids[window]}"
                chart = example_chart(history, truth, forecast, repeated, self._entry.step, title)
                charts.append((name, chart))
            mse = predictions.errors["model"].window_squares[window] / predictions.counts[window]
            examples.append(Example(kind, predictions.ids[window], float(mse), charts))
        return examples

    def _example_rows(self, predictions: Predictions, rows: WindowReader) -> Iterator[tuple[Any, ...]]:
        kept = predictions.kept
        for kind, place in self._chosen(predictions).items():
            window = int(kept.indices[place])
            naive = repeat_season(rows.take(np.array([window])), self._target)[0]
            for column, variable in enumerate(self._target.variables):
                parts = (kept.truths[place], kept.forecasts[place], naive)
                lines = zip(*(values[:, column].tolist() for values in parts), strict=True)
                for step, values in enumerate(lines, start=1):
                    yield kind, predictions.ids[window], variable, step, *values


_NAMES = {"model": "this model", "seasonal_naive": "seasonal naive", "persistence": "persistence"}
_VARIABLE_COLUMNS = ("variable", "unit", "mse", "mae", "rmse_in_unit", "mae_in_unit", "mase", "seasonal_naive_mse")
_EXAMPLE_COLUMNS = ("kind", "window", "variable", "step", "truth", "forecast", "seasonal_naive")


def _variable_row(score: VariableScores) -> tuple[Any, ...]:
    errors = (score.standard_mse, score.standard_mae, score.rmse, score.mae, score.mase, score.naive_mse)
    return score.name, score.unit, *errors


def _flat(found: dict[str, Interval]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, interval in found.items():
        ends = {f"{name}_low": interval.low, f"{name}_high": interval.high}
        flat |= {name: interval.value, **{end: value for end, value in ends.items() if np.isfinite(value)}}
    return flat
