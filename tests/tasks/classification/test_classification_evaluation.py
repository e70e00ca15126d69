import csv

import numpy as np
import pytest
from PIL import Image
from shades import Brightness, from_probabilities, random_predictions, write_processed

from stagewise.data.storage import SplitReader
from stagewise.metrics.intervals import bootstrap
from stagewise.metrics.weighted import F1, CalibrationError, MacroAuroc, MacroF1


def test_metrics_are_flat_finite_and_inside_their_intervals(shades, evaluation_of):
    metrics = evaluation_of(shades[1]).measure(random_predictions(rows=200, classes=4)).metrics
    assert all(np.isfinite(value) for value in metrics.values())
    for name in ("accuracy", "top_3", "f1_macro", "auroc", "calibration_error"):
        assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]
    assert metrics["rows"] == 200
    assert metrics["accuracy"] < metrics["top_3"]


@pytest.mark.parametrize("classes", [2, 4])
def test_points_are_the_librarys_and_bounds_those_of_the_resamples(evaluation_of, tmp_path, classes):
    schema = write_processed(tmp_path / "few", ["Ham", "Spam!", "c", "d"][:classes], {"test": 8})
    predictions = random_predictions(rows=150, classes=classes)
    result = evaluation_of(schema, seed=5, resamples=60, calibration_bins=8).measure(predictions)
    targets, labels, probabilities = predictions.targets, predictions.labels, predictions.probabilities
    statistics = {
        "f1_macro": MacroF1(targets, labels, classes),
        "auroc": MacroAuroc(targets, probabilities),
        "calibration_error": CalibrationError(predictions.confidence, predictions.correct, 8),
    }
    if classes == 2:
        statistics |= {"f1_ham": F1(targets, labels, 0), "f1_spam": F1(targets, labels, 1)}
    expected = bootstrap(list(statistics.values()), 150, resamples=60, confidence=0.95, seed=5)
    for (name, statistic), interval in zip(statistics.items(), expected, strict=True):
        assert result.intervals[name][1:] == interval[1:]
        assert result.intervals[name].value == pytest.approx(statistic(np.ones((150, 1)))[0], abs=1e-6)


def test_figures_of_a_few_classes_are_named(shades, evaluation_of, tmp_path):
    four = evaluation_of(shades[1]).measure(random_predictions(classes=4)).metrics
    assert list(four)[-4:] == ["f1_night", "f1_dusk", "f1_script_alert_x_script", "f1_day_b"]
    assert not any(name.startswith("precision_night") for name in four)
    two = write_processed(tmp_path / "two", ["Ham", "Spam!"], {"test": 8})
    metrics = evaluation_of(two).measure(random_predictions(rows=200, classes=2)).metrics
    for kind in ("f1", "precision", "recall"):
        for name in (f"{kind}_ham", f"{kind}_spam"):
            assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]
    assert "top_2" not in metrics
    assert list(metrics)[:7] == [
        "rows",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "f1_macro",
        "f1_macro_low",
        "f1_macro_high",
    ]


def test_figures_of_a_class_without_rows_are_left_out(evaluation_of, tmp_path):
    schema = write_processed(tmp_path / "two", ["ham", "spam"], {"test": 8})
    metrics = evaluation_of(schema).measure(from_probabilities([0, 0, 0], [[2, 1]] * 3)).metrics
    assert metrics["f1_ham"] == metrics["precision_ham"] == metrics["recall_ham"] == 1
    assert not any("spam" in name or "auroc" in name for name in metrics)
    assert np.isfinite(list(metrics.values())).all()


def test_k_that_says_nothing_is_skipped(shades, evaluation_of):
    metrics = evaluation_of(shades[1], top_k=[1, 2, 3, 4, 5, 99]).measure(random_predictions(classes=4)).metrics
    assert [name for name in metrics if name.startswith("top_") and name[4:].isdigit()] == ["top_2", "top_3"]


def test_auroc_is_left_out_where_one_class_is_all_there_is(shades, evaluation_of):
    result = evaluation_of(shades[1]).measure(from_probabilities([1, 1, 1], [[1, 2, 3, 4]] * 3))
    assert not any(name.startswith("auroc") for name in result.metrics)
    assert result.metrics["accuracy"] == 0
    assert np.isfinite(list(result.metrics.values())).all()


def test_compare_agrees_with_measure(shades, evaluation_of):
    evaluation, predictions = evaluation_of(shades[1]), random_predictions(classes=4)
    metrics = evaluation.measure(predictions).metrics
    assert evaluation.compare(predictions) == {name: metrics[name] for name in evaluation.compare(predictions)}


def test_another_seed_moves_the_bootstrap_and_nothing_else(shades, evaluation_of):
    one, two = (evaluation_of(shades[1], seed=seed).measure(random_predictions(classes=4)).metrics for seed in (1, 2))
    moved = {name for name in one if one[name] != two[name]}
    assert moved
    assert moved <= {f"{name}_{end}" for name in ("f1_macro", "auroc", "calibration_error") for end in ("low", "high")}


@pytest.fixture
def written(shades, evaluation_of, tmp_path):
    folder, schema = shades
    evaluation = evaluation_of(schema, worst=5)
    rows = SplitReader(folder / "test.arrow", schema.features[0].shape)
    result = evaluation.measure(evaluation.predict(Brightness(4), rows))
    (tmp_path / "figures").mkdir()
    evaluation.write(result, rows, tmp_path)
    return tmp_path / "figures", result, evaluation.page(result, rows)


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_confusion_has_a_line_per_row(written, shades):
    folder, result, _ = written
    rows, names = table(folder / "confusion.csv"), shades[1].classes
    assert list(rows[0]) == ["actual", "predicted"]
    counts = [[sum(r == {"actual": a, "predicted": p} for r in rows) for p in names] for a in names]
    assert counts == result.matrix.tolist()


def test_calibration_lists_the_bins_that_have_rows(written):
    folder, _, _ = written
    rows = table(folder / "calibration.csv")
    assert list(rows[0]) == ["bin", "confidence", "accuracy", "count"]
    assert sum(int(row["count"]) for row in rows) == 80
    assert all(int(row["count"]) > 0 for row in rows)


def test_classes_are_all_there_in_order(written, shades):
    rows = table(written[0] / "classes.csv")
    assert [row["class"] for row in rows] == shades[1].classes
    assert [int(row["rows"]) for row in rows] == [20] * 4


def test_page_and_tables_hold_the_figures_of_the_metrics(written):
    folder, result, page = written
    metrics, rows = result.metrics, table(folder / "classes.csv")
    named = [metrics[f"f1_{key}"] for key in ("night", "dusk", "script_alert_x_script", "day_b")]
    assert [float(row["f1"]) for row in rows] == [s.f1 for s in result.classes] == named
    for name in ("precision", "recall", "f1", "auroc"):
        mean = np.mean([float(row[name]) for row in rows])
        assert mean == pytest.approx(metrics["auroc" if name == "auroc" else f"{name}_macro"], abs=2e-6)
    assert {name: interval.value for name, interval in result.intervals.items()}.items() <= metrics.items()
    assert page["right"] / page["total"] == pytest.approx(metrics["accuracy"], abs=1e-6)
    assert np.trace(result.matrix) == page["right"]
    gaps = sum(abs(b.confidence - b.accuracy) * b.count for b in result.bins if b.count)
    assert gaps / page["total"] == pytest.approx(metrics["calibration_error"], abs=1e-9)


def test_the_grid_shows_the_worst_mistakes_first(written):
    folder, result, page = written
    mistakes = [mistake for mistake, _ in page["mistakes"]]
    wrong = np.sort(result.predictions.confidence[~result.predictions.correct])[::-1]
    assert [m.confidence for m in mistakes] == pytest.approx(wrong[:5].tolist())
    assert all(m.actual != m.predicted for m in mistakes)
    with Image.open(folder / "mistakes.png") as image:
        assert image.width > 5 * 128


def test_confusions_are_sorted_by_count(written):
    _, result, page = written
    counts = [count for _, _, count, _ in page["confusions"]]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == (~result.predictions.correct).sum()


def test_many_classes_are_cut_on_the_page_and_kept_in_the_files(evaluation_of, tmp_path):
    schema = write_processed(tmp_path / "many", [f"c{n}" for n in range(40)], {"test": 80})
    evaluation = evaluation_of(schema, resamples=10)
    rows = SplitReader(tmp_path / "many" / "test.arrow", schema.features[0].shape)
    result = evaluation.measure(random_predictions(rows=80, classes=40))
    (tmp_path / "figures").mkdir()
    evaluation.write(result, rows, tmp_path)
    page = evaluation.page(result, rows)
    assert page["matrix"] is None
    assert [name for name in result.metrics if name.startswith("f1_c")] == []
    assert len(page["listed"]) == 30
    assert len(table(tmp_path / "figures" / "classes.csv")) == 40
