import csv

import numpy as np
import pytest
from PIL import Image
from shades import Brightness, from_probabilities, random_predictions, write_processed

from stagewise.data.storage import SplitReader


def test_metrics_are_flat_finite_and_inside_their_intervals(shades, evaluation_of):
    metrics = evaluation_of(shades[1]).measure(random_predictions(rows=200, classes=4)).metrics
    assert all(np.isfinite(value) for value in metrics.values())
    for name in ("accuracy", "top_3", "f1_macro", "auroc", "calibration_error"):
        assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]
    assert metrics["rows"] == 200
    assert metrics["accuracy"] < metrics["top_3"]


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
    evaluation.write(result, rows, tmp_path)
    return tmp_path, result, evaluation.page(result, rows)


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_confusion_has_a_line_per_row(written, shades):
    folder, result, _ = written
    rows, names = table(folder / "confusion.csv"), shades[1].target.classes
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
    assert [row["class"] for row in rows] == shades[1].target.classes
    assert [int(row["rows"]) for row in rows] == [20] * 4


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
    evaluation.write(result, rows, tmp_path)
    page = evaluation.page(result, rows)
    assert page["matrix"] is None
    assert len(page["listed"]) == 30
    assert len(table(tmp_path / "classes.csv")) == 40
