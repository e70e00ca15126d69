"""The sections of the page that stand beside a model of tables: figures by group, and boosted trees."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_tables import MemoryRows, number_target, people, table_schema, two_classes

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.evaluation.baseline import BaselineResult, Comparison
from stagewise.evaluation.subgroups import COMPARED, subgroups
from stagewise.metrics.intervals import Interval
from stagewise.report import page
from stagewise.tasks.regression.evaluation import amounts

FOLDER = Path(page.__file__).parent
SETTINGS = SimpleNamespace(evaluate=EvaluateSection(resamples=20, subgroups=["sex", "region"]))


def show(template: str, **context: Any) -> str:
    return page.render(FOLDER / template, {"settings": SETTINGS, **context})


def test_groups_of_a_classifier():
    values, score, columns = people(400)
    targets = (score > 0.5).astype(np.int64)
    schema = table_schema(columns, two_classes())
    probabilities = np.column_stack([1 - targets, targets]).astype(np.float32) * 0.6 + 0.2
    found = subgroups(schema, MemoryRows(values, targets), targets, probabilities, SETTINGS.evaluate, 0)
    text = show("subgroups.html.jinja", subgroups=found, schema=schema, compared=COMPARED)
    assert text.count("<table") == 2
    assert "Positive means <b>high</b>" in text
    assert all(word in text for word in ("female", "male", "Found (TPR)", "Largest difference", "100.0\u202f%"))


def test_groups_of_a_regression_are_in_its_unit():
    values, score, columns = people(400)
    schema = table_schema(columns, number_target(score))
    found = subgroups(schema, MemoryRows(values, score), score, score + 1.0, SETTINGS.evaluate, 0)
    text = show("subgroups.html.jinja", subgroups=found, schema=schema, compared=COMPARED, amount=amounts(score, "m"))
    assert "+1.000" in text
    assert "Positive" not in text


def result(name: str, network: float, trees: float, low: float, high: float) -> BaselineResult:
    def around(value: float) -> Interval:
        return Interval(value, value - 0.01, value + 0.01)

    one = Comparison(name, around(network), around(trees), Interval((low + high) / 2, low, high))
    return BaselineResult([one], 120, 29_000, 3_000, np.zeros(1))


@pytest.mark.parametrize(
    ("low", "high", "heading", "better"),
    [
        (-0.01, -0.004, "Boosted trees do better", "boosted trees"),
        (0.004, 0.01, "Better than boosted trees", "network"),
        (-0.004, 0.004, "As good as boosted trees", "cannot be told"),
    ],
)
def test_baseline_says_plainly_who_wins(low, high, heading, better):
    text = show("baseline.html.jinja", baseline=result("auroc", 0.92, 0.927, low, high))
    assert f"<h2>{heading}</h2>" in text
    assert f"<td>{better}</td>" in text
    assert "0.9270" in text and "0.9200" in text and "29\u202f000 training rows" in text


def test_baseline_of_a_regression_is_in_its_unit():
    amount = amounts(np.array([0.0, 200_000.0]), "USD")
    text = show("baseline.html.jinja", baseline=result("rmse", 47_000, 44_000, 2000, 4000), amount=amount)
    assert "RMSE 44\u202f000 against 47\u202f000" in text
    assert "+3\u202f000" in text  # the middle of the interval
