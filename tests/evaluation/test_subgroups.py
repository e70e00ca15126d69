"""Figures by group, against the same figures of the group's rows taken out by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from small_tables import MemoryRows, category_column, number_column, number_target, people, table_schema, two_classes

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.schema import Feature, TargetEntry
from stagewise.errors import ConfigError
from stagewise.evaluation.subgroups import COLUMNS, COMPARED, flat, subgroups

SETTINGS = EvaluateSection(resamples=50, subgroups=["sex", "region", "age"])


@pytest.fixture
def income():
    """(schema, rows, targets, probabilities) of 500 people; the model names women positive too seldom."""
    values, score, columns = people(500)
    targets = (score > 0.5).astype(np.int64)
    logit = 2 * score - 1 - 1.5 * (values[:, 2] == 1) + np.random.default_rng(1).normal(0, 1, 500)
    positive = 1 / (1 + np.exp(-logit))
    return (
        table_schema(columns, two_classes(), rows=500),
        MemoryRows(values, targets),
        targets,
        np.column_stack([1 - positive, positive]).astype(np.float32),
    )


def test_groups_are_the_values_of_the_column(income):
    schema, rows, targets, probabilities = income
    sex, region, age = subgroups(schema, rows, targets, probabilities, SETTINGS, seed=0)
    assert [group.name for group in sex.groups] == ["female", "male"]
    assert [group.name for group in region.groups] == ["other", "north", "south", "missing"]
    assert [group.rows for group in region.groups] == np.bincount(rows.values[:, 3].astype(int)).tolist()
    assert sum(group.rows for group in age.groups) == 500
    assert all(group.rows == pytest.approx(125, abs=1) for group in age.groups)
    assert age.groups[0].name.startswith("below ")


def test_figures_are_those_of_the_rows_alone(income):
    schema, rows, targets, probabilities = income
    (sex,) = subgroups(schema, rows, targets, probabilities, SETTINGS.model_copy(update={"subgroups": ["sex"]}), 0)
    for group, code in zip(sex.groups, (1, 2), strict=True):
        inside = rows.values[:, 2] == code
        actual, named, score = targets[inside], probabilities[inside].argmax(1), probabilities[inside, 1]
        expected = {
            "accuracy": (actual == named).mean(),
            "auroc": roc_auc_score(actual, score),
            "base_rate": actual.mean(),
            "positive_rate": named.mean(),
            "tpr": named[actual == 1].mean(),
            "fpr": named[actual == 0].mean(),
        }
        assert {name: interval.value for name, interval in group.figures.items()} == pytest.approx(expected)
        assert all(interval.low <= interval.value <= interval.high for interval in group.figures.values())


def test_gaps_are_between_the_best_and_the_worst_group(income):
    schema, rows, targets, probabilities = income
    (sex, region, _) = subgroups(schema, rows, targets, probabilities, SETTINGS, seed=0)
    rates = [group.figures["positive_rate"].value for group in sex.groups]
    assert sex.gaps["positive_rate"] == pytest.approx(max(rates) - min(rates))
    assert sex.gaps["positive_rate"] > 0.1
    assert sex.metrics["sex_tpr_gap"] == sex.gaps["tpr"]
    large = [group.figures["accuracy"].value for group in region.groups if group.rows >= COMPARED]
    assert region.gaps["accuracy"] == pytest.approx(max(large) - min(large))


def test_small_groups_are_shown_and_not_compared():
    columns = [category_column("kind", ["rare", "common"])]
    codes = np.array([1.0] * 3 + [2.0] * 300)[:, None]
    targets = np.array([1, 1, 1] + [0, 1] * 150)
    probabilities = np.full((303, 2), [0.9, 0.1], np.float32)
    settings = EvaluateSection(resamples=20, subgroups=["kind"])
    (kind,) = subgroups(
        table_schema(columns, two_classes()), MemoryRows(codes, targets), targets, probabilities, settings, 0
    )
    assert [group.rows for group in kind.groups] == [3, 300]
    assert kind.gaps == {}
    rare = kind.groups[0].figures
    assert rare["tpr"].value == 0
    assert np.isnan(rare["fpr"].value) and np.isnan(rare["auroc"].value)


def test_many_classes_have_an_accuracy_only():
    columns = [category_column("sex", ["female", "male"])]
    draw = np.random.default_rng(0)
    codes, targets, probabilities = draw.integers(1, 3, (60, 1)), draw.integers(0, 3, 60), draw.random((60, 3))
    schema = table_schema(columns, two_classes())
    settings = EvaluateSection(resamples=20, subgroups=["sex"])
    (sex,) = subgroups(schema, MemoryRows(codes, targets), targets, probabilities, settings, 0)
    assert list(sex.groups[0].figures) == ["accuracy"]


def test_numbers_have_errors():
    values, score, columns = people(400)
    predicted = score + np.where(values[:, 2] == 1, 0.5, 0.0)
    schema = table_schema(columns, number_target(score))
    settings = EvaluateSection(resamples=50, subgroups=["sex"])
    (sex,) = subgroups(schema, MemoryRows(values, score), score, predicted, settings, 0)
    women, men = (group.figures for group in sex.groups)
    assert women["mean_error"].value == pytest.approx(0.5)
    assert (women["rmse"].value, women["mae"].value) == pytest.approx((0.5, 0.5))
    assert men["rmse"].value == 0
    assert sex.gaps == pytest.approx({"rmse": 0.5, "mae": 0.5, "mean_error": 0.5})


def test_missing_numbers_are_a_group():
    values, score, columns = people(400)
    settings = EvaluateSection(resamples=10, subgroups=["hours"])
    schema = table_schema(columns, number_target(score))
    (hours,) = subgroups(schema, MemoryRows(values, score), score, score, settings, 0)
    assert hours.groups[-1].name == "missing"
    assert hours.groups[-1].rows == np.isnan(values[:, 1]).sum()
    assert sum(group.rows for group in hours.groups) == 400


def test_lines_are_flat(income):
    schema, rows, targets, probabilities = income
    lines = list(flat(subgroups(schema, rows, targets, probabilities, SETTINGS, seed=0)))
    assert all(len(line) == len(COLUMNS) for line in lines)
    assert len(lines) == 6 * (2 + 4 + 4)
    assert lines[0][:4] == ("sex", "female", int((rows.values[:, 2] == 1).sum()), "accuracy")


def test_an_unknown_column_is_told_with_close_ones(income):
    schema, rows, targets, probabilities = income
    settings = EvaluateSection(subgroups=["sexe"])
    with pytest.raises(ConfigError, match="no column 'sexe'") as caught:
        subgroups(schema, rows, targets, probabilities, settings, 0)
    assert caught.value.where == "evaluate.subgroups"
    assert "sex" in (caught.value.fix or "")
    with pytest.raises(ConfigError, match="fnlwgt") as caught:
        subgroups(schema, rows, targets, probabilities, EvaluateSection(subgroups=["fnlwgt"]), 0)
    assert "data.feature.drop" in (caught.value.why or "")


@pytest.mark.parametrize(
    "update",
    [
        {"features": [Feature(name="image", kind="image", dtype="uint8", shape=(2, 2, 1), layout="HWC")]},
        {"target": TargetEntry(name="load", kind="series", outputs=3)},
    ],
    ids=["image", "series"],
)
def test_other_kinds_of_data_are_refused(update):
    schema = table_schema([number_column("a", [1.0, 2.0])], two_classes()).model_copy(update=update)
    with pytest.raises(ConfigError, match="do not fit this data"):
        subgroups(schema, MemoryRows([[1.0]], [0]), np.zeros(1), np.zeros((1, 2)), EvaluateSection(subgroups=["a"]), 0)
