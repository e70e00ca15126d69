import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from small_tables import MemoryRows, number_column, number_target, table_schema
from torch import nn

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.errors import TrainingError
from stagewise.report.displays.display import NumbersDisplay
from stagewise.report.page import render
from stagewise.tasks.regression.evaluation import RegressionEvaluation, amounts
from stagewise.tasks.regression.predictions import predict


class Double(nn.Module):
    """Twice the first number of each row."""

    def forward(self, raw: torch.Tensor) -> tuple[torch.Tensor]:
        return (2 * raw[:, 0],)


def rows_of(count: int, seed: int) -> MemoryRows:
    """The target is twice the first number, give or take 5 (normal)."""
    draw = np.random.default_rng(seed)
    values = draw.uniform(10, 100, (count, 2))
    return MemoryRows(values, 2 * values[:, 0].astype(np.float32) + draw.normal(0, 5, count))


@pytest.fixture
def evaluation() -> RegressionEvaluation:
    targets = rows_of(50, 9).targets
    columns = [number_column("a", [1.0, 2.0]), number_column("b", [1.0, 2.0])]
    schema = table_schema(columns, number_target(targets, unit="km"), rows=50, validation=300, test=400)
    settings = EvaluateSection(resamples=100, worst=5, batch_size=64)
    return RegressionEvaluation(schema=schema, settings=settings, seed=3, display=NumbersDisplay(schema))


@pytest.fixture
def calibrated(evaluation: RegressionEvaluation) -> RegressionEvaluation:
    evaluation.calibrate(Double(), rows_of(300, 1))
    return evaluation


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_predicts_every_row_in_order(evaluation):
    rows = rows_of(130, 0)
    predictions = evaluation.predict(Double(), rows)
    np.testing.assert_allclose(predictions.values, 2 * rows.values[:, 0])
    assert predictions.ids == [f"row#{n}" for n in range(130)]
    assert np.array_equal(predictions.targets, rows.targets)
    assert np.array_equal(evaluation.answers_of(predictions), predictions.values)


def test_an_answer_that_is_no_number_is_told():
    rows = MemoryRows([[1.0], [float("nan")]], [1.0, 2.0])
    with pytest.raises(TrainingError, match="not finite numbers") as caught:
        predict(Double(), rows, 1)
    assert caught.value.details == ["row#1"]


def test_metrics_begin_with_the_rows_and_the_headline(calibrated):
    result = calibrated.measure(calibrated.predict(Double(), rows_of(400, 2)))
    assert list(result.metrics)[:4] == ["rows", "rmse", "rmse_low", "rmse_high"]
    assert all(np.isfinite(value) for value in result.metrics.values())
    assert result.metrics["rmse"] == pytest.approx(5, rel=0.1)
    assert result.metrics["r2"] > 0.98
    assert "mape" in result.metrics


def test_compare_agrees_with_measure(evaluation):
    predictions = evaluation.predict(Double(), rows_of(100, 2))
    compared, metrics = evaluation.compare(predictions), evaluation.measure(predictions).metrics
    assert list(compared) == ["rmse", "mae", "median_absolute_error", "r2"]
    assert compared == {name: metrics[name] for name in compared}


def test_prediction_intervals_keep_what_they_promise(calibrated):
    result = calibrated.measure(calibrated.predict(Double(), rows_of(4000, 2)))
    metrics = result.metrics
    assert result.calibrated_on == 300
    assert metrics["interval_level"] == 0.95
    assert metrics["interval_half_width"] == pytest.approx(1.96 * 5, rel=0.15)
    assert metrics["interval_coverage_low"] < metrics["interval_coverage"] < metrics["interval_coverage_high"]
    for one in result.coverages:
        assert one.kept.value == pytest.approx(one.level, abs=0.06)
    widths = [one.half_width for one in result.coverages]
    assert widths == sorted(widths)


def test_without_validation_rows_there_are_no_intervals(evaluation, tmp_path):
    rows = rows_of(60, 2)
    (tmp_path / "figures").mkdir()
    for validation in (None, MemoryRows(np.zeros((0, 2)), np.zeros(0)), rows_of(2, 0)):
        if validation is not None and len(validation):
            evaluation.calibrate(Double(), validation)
        result = evaluation.measure(evaluation.predict(Double(), rows))
        assert not any("interval" in name for name in result.metrics if name != "interval_level") or result.coverages
    # Two validation rows allow intervals of up to 66 %.
    assert [one.level for one in result.coverages] == [0.5, 0.6]
    assert result.metrics["interval_level"] == 0.6


def test_files_hold_every_answer_and_what_the_charts_show(calibrated, tmp_path):
    rows = rows_of(120, 2)
    (tmp_path / "figures").mkdir()
    result = calibrated.measure(calibrated.predict(Double(), rows))
    calibrated.write(result, rows, tmp_path)
    parquet = pq.read_table(tmp_path / "predictions.parquet")
    assert parquet.column_names == ["id", "target", "value", "error", "low", "high"]
    columns = {name: parquet[name].to_numpy(zero_copy_only=False) for name in parquet.column_names}
    np.testing.assert_allclose(columns["error"], columns["value"] - columns["target"])
    np.testing.assert_allclose(columns["high"] - columns["low"], 2 * result.metrics["interval_half_width"])
    kept = (columns["low"] <= columns["target"]) & (columns["target"] <= columns["high"])
    assert kept.mean() == pytest.approx(result.metrics["interval_coverage"])

    folder = tmp_path / "figures"
    actual = [(float(row["actual"]), float(row["predicted"])) for row in table(folder / "actual.csv")]
    np.testing.assert_array_equal(actual, np.column_stack([columns["target"], columns["value"]]))
    assert sum(int(row["rows"]) for row in table(folder / "residuals.csv")) == 120
    assert [float(row["level"]) for row in table(folder / "intervals.csv")] == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    misses = table(folder / "misses.csv")
    worst = np.sort(np.abs(columns["error"]))[::-1][:5]
    assert [abs(float(row["error"])) for row in misses] == pytest.approx(worst.tolist())
    assert all(row["input"] for row in misses)


def test_equal_runs_write_equal_bytes(calibrated, tmp_path):
    rows = rows_of(80, 2)
    contents = []
    for name in ("one", "two"):
        (tmp_path / name / "figures").mkdir(parents=True)
        calibrated.write(calibrated.measure(calibrated.predict(Double(), rows)), rows, tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]


def page(evaluation: RegressionEvaluation, rows: MemoryRows) -> str:
    result = evaluation.measure(evaluation.predict(Double(), rows))
    settings: Any = SimpleNamespace(
        name="houses",
        seed=3,
        evaluate=evaluation._settings,
        model=SimpleNamespace(target="a.Net", arguments={}),
    )
    context = {"settings": settings, "schema": evaluation._schema, "parameters": 3, "curves": [], "epochs": 1}
    return render(
        evaluation.template,
        context | {"folds": None, "subgroups": None, "baseline": None} | evaluation.page(result, rows),
    )


def test_page_says_how_far_off_it_is(calibrated):
    text, predictions = page(calibrated, rows_of(400, 2)), calibrated.predict(Double(), rows_of(400, 2))
    error = amounts(rows_of(400, 2).targets, "km")(calibrated.measure(predictions).metrics["mae"])
    assert f"price: off by {error} on average, over 400 test rows" in text
    assert text.count("<svg") == 3
    assert "Furthest off" in text
    assert "split conformal" in text
    assert "bootstrap, 100 resamples" in text
    assert "km" in text


def test_page_without_intervals_leaves_them_out(evaluation):
    text = page(evaluation, rows_of(60, 2))
    assert text.count("<svg") == 2
    assert "conformal" not in text


@pytest.mark.parametrize(
    ("spread", "number", "text"),
    [
        (115_000.0, 206_855.8, "206\u202f856\u00a0USD"),
        (1.15, 2.0688, "2.069\u00a0USD"),
        (0.01, -0.5, "\u22120.50000\u00a0USD"),
    ],
)
def test_amounts_have_digits_that_make_sense(spread, number, text):
    assert amounts(np.array([0.0, 2 * spread]), "USD")(number) == text


def test_amounts_without_unit_and_with_sign():
    amount = amounts(np.array([0.0, 200.0]), "")
    assert amount(3.0, signed=True) == "+3.0"
    assert amounts(np.array([7.0, 7.0]), "m")(7.0, bare=True) == "7.000"
