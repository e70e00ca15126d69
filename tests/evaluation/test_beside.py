"""What the config asks for beside a model of tables is measured, written and handed to the page."""

import csv

import numpy as np
import pytest
from small_tables import MemoryRows, people, table_schema, two_classes

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.evaluation.beside import LookBeside


@pytest.fixture
def income():
    """(schema, rows by split, probabilities of a network for the test rows)."""
    values, score, columns = people(660)
    targets = (score > 0.5).astype(np.int64)
    cuts = zip(
        ("train", "validation", "test"), np.split(values, [200, 260]), np.split(targets, [200, 260]), strict=True
    )
    rows = {name: MemoryRows(x, y, name) for name, x, y in cuts}
    positive = 1 / (1 + np.exp(-3 * (score[260:] - 0.5)))
    schema = table_schema(columns, two_classes(), rows=200, validation=60, test=400)
    return schema, rows, np.column_stack([1 - positive, positive]).astype(np.float32)


def lines(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def look(income, out, **asked):
    schema, rows, answers = income
    opened = []

    def rows_of(split):
        opened.append(split)
        return rows[split]

    found = LookBeside()(EvaluateSection(resamples=30, **asked), 0, schema, rows_of, answers, out)
    return found, opened


def test_nothing_is_read_where_nothing_is_asked(income, tmp_path):
    found, opened = look(income, tmp_path)
    assert (found.metrics, opened, list(tmp_path.iterdir())) == ({}, [], [])
    assert (found.context["subgroups"], found.context["baseline"]) == (None, None)


def test_groups_are_written(income, tmp_path):
    found, opened = look(income, tmp_path, subgroups=["sex", "region"])
    assert opened == ["test"]
    assert {row["column"] for row in lines(tmp_path / "subgroups.csv")} == {"sex", "region"}
    assert found.metrics["sex_accuracy_gap"] == found.context["subgroups"][0].gaps["accuracy"]
    assert found.context["baseline"] is None


def test_baseline_is_trained_on_the_training_rows_and_written(income, tmp_path):
    found, opened = look(income, tmp_path, baseline="gradient_boosting")
    assert opened == ["train", "validation", "test"]
    result = found.context["baseline"]
    assert (result.trained_on, result.stopped_by) == (200, 60)
    assert [row["figure"] for row in lines(tmp_path / "baseline.csv")] == ["auroc", "accuracy", "nll"]
    assert found.metrics == result.metrics
    assert found.context["subgroups"] is None
