"""What the evaluation of forecasts writes and shows."""

import csv
import json

import numpy as np
import pytest
from series_data import NETWORK, open_split, prepare, train_settings, wave

from stagewise.config.schema.evaluate import EvaluateSection, EvaluateSettings
from stagewise.data.features.series import SeriesFeature
from stagewise.data.features.series_entry import SeriesTarget
from stagewise.errors import ConfigError
from stagewise.evaluation.evaluate import evaluate
from stagewise.report.displays.display import NumbersDisplay
from stagewise.tasks.forecasting.evaluation import ForecastingEvaluation
from stagewise.training.train import train

PUBLISHED = {"Naïve & <b> (2023)": {"mse": 0.01, "mae": 0.02}, "half a figure": {"mse": 0.5}}


def make(schema, **arguments):
    section = EvaluateSection.model_validate({"resamples": 50})
    return ForecastingEvaluation(schema, section, 3, NumbersDisplay(schema), **arguments)


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_metrics_begin_with_rows_and_the_headline(gappy, drift):
    schema, rows, _ = gappy
    evaluation = make(schema)
    predictions = evaluation.predict(drift(6), rows)
    result = evaluation.measure(predictions)
    names = list(result.metrics)
    assert names[:7] == ["rows", "mse", "mse_low", "mse_high", "mae", "mae_low", "mae_high"]
    assert {"skill", "mase", "seasonal_naive_mse", "persistence_mae"} <= set(names) and "rmse_in_unit" not in names
    assert all(np.isfinite(value) for value in result.metrics.values())
    assert evaluation.compare(predictions) == {"mse": result.metrics["mse"], "mae": result.metrics["mae"]}


def test_a_single_variable_has_its_errors_in_the_unit(tmp_path, drift):
    schema = prepare(tmp_path, {"a": wave(variables=2)}, SeriesFeature(24, 6))
    target = schema.target.narrow(SeriesTarget)
    one = prepare(tmp_path / "one", {"a": wave(variables=1)}, SeriesFeature(24, 6))
    evaluation = make(one)
    result = evaluation.measure(evaluation.predict(drift(6), open_split(tmp_path / "one", one, "test")))
    std = one.target.narrow(SeriesTarget).std[0]
    assert result.metrics["rmse_in_unit"] == pytest.approx(np.sqrt(result.metrics["mse"]) * std)
    assert len(target.variables) == 2


def test_files_hold_what_the_page_shows(gappy, drift, tmp_path):
    schema, rows, _ = gappy
    evaluation = make(schema, published=PUBLISHED)
    result = evaluation.measure(evaluation.predict(drift(6), rows))
    for out in (tmp_path / "one", tmp_path / "two"):
        (out / "figures").mkdir(parents=True)
        evaluation.write(result, rows, out)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert [file.name for file in files] == [
        *("comparison.csv", "examples.csv", "steps.csv", "variables.csv", "predictions.parquet")
    ]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    figures = tmp_path / "one" / "figures"
    comparison = read(figures / "comparison.csv")
    assert comparison[0] == {"forecaster": "Naïve & <b> (2023)", "mse": "0.01", "mae": "0.02"}
    assert [row["mae"] for row in comparison if row["forecaster"] == "half a figure"] == [""]
    assert [float(row["mse"]) for row in comparison] == sorted(float(row["mse"]) for row in comparison)
    assert len(read(figures / "steps.csv")) == 6 and len(read(figures / "variables.csv")) == 2
    examples = read(figures / "examples.csv")
    assert {row["kind"] for row in examples} == {"easy", "typical", "hard"} and len(examples) == 3 * 2 * 6


def test_examples_are_ordered_from_easy_to_hard(gappy, drift):
    schema, rows, _ = gappy
    evaluation = make(schema)
    page = evaluation.page(evaluation.measure(evaluation.predict(drift(6), rows)), rows)
    errors = [example.mse for example in page["examples"]]
    assert errors == sorted(errors) and len({example.id for example in page["examples"]}) == 3
    assert all(len(example.charts) == 2 for example in page["examples"])


@pytest.mark.parametrize("wrong", [{"rmse": 0.1}, {"mse": -1.0}], ids=["name", "negative"])
def test_a_wrong_published_figure_is_told(wrong, gappy):
    with pytest.raises(ConfigError, match="is no published figure"):
        make(gappy[0], published={"X (2023)": wrong})


def evaluate_settings(**published):
    return EvaluateSettings.model_validate(
        {
            **NETWORK,
            "name": "waves",
            "display": {"_target_": "stagewise.report.displays.display.NumbersDisplay"},
            "evaluation": {
                "_target_": "stagewise.tasks.forecasting.evaluation.ForecastingEvaluation",
                "published": published or None,
            },
            "evaluate": {"resamples": 50},
        }
    )


@pytest.mark.parametrize("variables", [1, 2])
def test_the_stage_writes_a_page_that_fetches_nothing(variables, tmp_path):
    feature = SeriesFeature(24, 6, calendar=["hour"], unit={"v0": "<kW>"})
    prepare(tmp_path / "processed", {"a<script>": wave(220, variables=variables)}, feature)
    for name in ("trained", "work", "one", "two"):
        (tmp_path / name).mkdir()
    train(train_settings(), tmp_path / "processed", tmp_path / "trained", tmp_path / "work")
    for name in ("one", "two"):
        found = evaluate(
            evaluate_settings(**PUBLISHED),
            tmp_path / "processed",
            tmp_path / "trained",
            tmp_path / name,
            tmp_path / "work",
        )
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "two" / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "one" / "metrics.json").read_text()) == found
    assert found["mse"] < found["persistence_mse"]
    body = page.split("</style>")[1]
    assert "<script" not in body and "style=" not in body and "http" not in body
    assert "Naïve &amp; &lt;b&gt; (2023)" in body and "published" in body and "&lt;kW&gt;" in body
    sections = {text.split('"')[0]: text for text in body.split('<section id="')[1:]}
    assert sections["examples"].count("<svg") == 3 * variables and sections["steps"].count("<svg") == 1
    assert sections["variables"].count("<tr>") == 1 + variables


def test_few_blocks_are_said_to_have_no_interval(tmp_path):
    prepare(tmp_path / "processed", {"a": wave(160)}, SeriesFeature(24, 6), borders=[120, 20, 10])
    for name in ("trained", "work", "out"):
        (tmp_path / name).mkdir()
    train(train_settings(), tmp_path / "processed", tmp_path / "trained", tmp_path / "work")
    found = evaluate(
        evaluate_settings(), tmp_path / "processed", tmp_path / "trained", tmp_path / "out", tmp_path / "work"
    )
    assert "mse" in found and "mse_low" not in found and found["rows"] == 5
    assert "make up 1 block of windows, too few" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
