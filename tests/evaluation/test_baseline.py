"""Boosted trees beside a network: what they learn, how the two are compared."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)
from small_tables import MemoryRows, number_column, number_target, people, table_schema, two_classes
from threadpoolctl import threadpool_limits

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.schema import ClassTarget, Feature
from stagewise.errors import ConfigError
from stagewise.evaluation import baseline
from stagewise.evaluation.baseline import (
    COLUMNS,
    Table,
    class_statistics,
    compare,
    fit_classes,
    fit_numbers,
    gradient_boosting,
    number_statistics,
)
from stagewise.metrics.regression import Mean

SETTINGS = EvaluateSection(resamples=60)


@pytest.fixture(autouse=True)
def _one_thread():
    with threadpool_limits(1):
        yield


def splits(target, counts=(800, 200, 300)):
    values, score, columns = people(sum(counts))
    targets, cuts = target(score), np.cumsum(counts)[:-1]
    parts = zip(("train", "validation", "test"), np.split(values, cuts), np.split(targets, cuts), strict=True)
    return {name: MemoryRows(x, y, name) for name, x, y in parts}, columns


def classes():
    rows, columns = splits(lambda score: (score > 0.5).astype(np.int64))
    return rows, table_schema(columns, two_classes(), rows=800)


def numbers(transform="none"):
    def price(score):
        return np.exp(score) if transform == "log1p" else 100 * score

    rows, columns = splits(price)
    return rows, table_schema(columns, number_target(rows["train"].targets, transform), rows=800)


def test_trees_learn_classes_and_the_figures_are_those_of_sklearn():
    rows, schema = classes()
    network = np.random.default_rng(0).dirichlet([1, 1], 300).astype(np.float32)
    result = gradient_boosting(schema, rows, network, SETTINGS, seed=0)
    assert (result.trained_on, result.stopped_by) == (800, 200)
    assert 1 < result.rounds < 1000
    targets = rows["test"].targets
    found = {one.name: (one.network.value, one.baseline.value) for one in result.comparisons}
    for answers, place in ((network, 0), (result.answers, 1)):
        assert found["auroc"][place] == pytest.approx(roc_auc_score(targets, answers[:, 1]))
        assert found["accuracy"][place] == pytest.approx(accuracy_score(targets, answers.argmax(1)))
        exact = answers.astype(np.float64)
        assert found["nll"][place] == pytest.approx(log_loss(targets, exact / exact.sum(1, keepdims=True)), rel=1e-4)
    assert found["auroc"][1] > 0.9
    assert [one.name for one in result.comparisons] == ["auroc", "accuracy", "nll"]
    assert [one.better for one in result.comparisons] == ["baseline"] * 3


def test_trees_learn_numbers_and_the_figures_are_those_of_sklearn():
    rows, schema = numbers()
    targets = rows["test"].targets
    network = targets + np.random.default_rng(0).normal(0, 1, 300)
    result = gradient_boosting(schema, rows, network, SETTINGS, seed=0)
    found = {one.name: one.baseline.value for one in result.comparisons}
    expected = {
        "rmse": root_mean_squared_error(targets, result.answers),
        "mae": mean_absolute_error(targets, result.answers),
        "r2": r2_score(targets, result.answers),
    }
    assert found == pytest.approx(expected)
    assert found["r2"] > 0.8
    assert [one.better for one in result.comparisons] == ["network"] * 3


def test_a_target_with_a_logarithm_is_learnt_as_one():
    rows, schema = numbers("log1p")
    result = gradient_boosting(schema, rows, np.zeros(300), SETTINGS, seed=0)
    plain, _ = fit_numbers(
        [0, 0, 3, 4],
        Table(rows["train"].values, np.log1p(rows["train"].targets)),
        Table(rows["validation"].values, np.log1p(rows["validation"].targets)),
        rows["test"].values,
    )
    np.testing.assert_array_equal(result.answers, np.expm1(plain))
    assert result.answers.min() > -1


def test_the_number_of_threads_does_not_matter(monkeypatch):
    monkeypatch.setattr(baseline, "ROUNDS", 12)
    rows, _ = splits(lambda score: (score > 0.5).astype(np.int64), counts=(200, 60, 40))
    train, held_out, test = (Table.of(rows[name]) for name in ("train", "validation", "test"))
    answers = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            answers.append(fit_classes([0, 0, 3, 4], train, held_out, test.values, 2)[0])
    assert np.array_equal(*answers)


def test_difference_is_paired():
    draw = np.random.default_rng(0)
    shared, own = draw.normal(0, 10, 500), draw.normal(0.1, 0.3, 500)
    (one,) = compare({"mae": Mean(shared + own)}, {"mae": Mean(shared)}, 500, resamples=200, confidence=0.95, seed=0)
    assert one.difference.value == pytest.approx(own.mean())
    assert one.network.high - one.network.low > 1
    assert one.difference.high - one.difference.low < 0.1
    assert one.better == "baseline"


@pytest.mark.parametrize(
    ("shift", "name", "better"),
    [
        (0.5, "accuracy", "network"),
        (-0.5, "accuracy", "baseline"),
        (0.5, "rmse", "baseline"),
        (-0.5, "nll", "network"),
        (0.0, "auroc", "neither"),
    ],
)
def test_better_needs_an_interval_without_zero(shift, name, better):
    noise = np.random.default_rng(0).normal(shift, 1, 400)
    noise = noise - noise.mean() + shift
    (one,) = compare({name: Mean(noise)}, {name: Mean(np.zeros(400))}, 400, resamples=100, confidence=0.9, seed=0)
    assert one.better == better


def test_undefined_figures_are_left_out():
    targets = np.zeros(20, np.int64)
    answers = np.full((20, 2), [0.8, 0.2])
    functions = class_statistics(targets, answers)
    found = compare(functions, functions, 20, resamples=20, confidence=0.9, seed=0)
    assert [one.name for one in found] == ["accuracy", "nll"]
    same = number_statistics(np.ones(20), np.zeros(20))
    assert [one.name for one in compare(same, same, 20, resamples=20, confidence=0.9, seed=0)] == ["rmse", "mae"]


def test_metrics_and_lines():
    rows, schema = numbers()
    result = gradient_boosting(schema, rows, rows["test"].targets + 1.0, SETTINGS, seed=0)
    metrics = result.metrics
    assert list(metrics)[:4] == [
        "baseline_rmse", "baseline_rmse_difference", "baseline_rmse_difference_low", "baseline_rmse_difference_high",
    ]  # fmt: skip
    assert metrics["baseline_rmse_difference"] == pytest.approx(1 - metrics["baseline_rmse"])
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(len(line) == len(COLUMNS) for line in result.lines)


def test_validation_rows_are_not_needed():
    rows, schema = numbers()
    del rows["validation"]
    rows["train"] = MemoryRows(rows["train"].values[:60], rows["train"].targets[:60])
    result = gradient_boosting(schema, rows, rows["test"].targets, SETTINGS, seed=0)
    assert (result.stopped_by, result.rounds) == (0, 1000)


def test_a_class_without_training_rows_has_probability_0():
    draw = np.random.default_rng(0)
    values = draw.normal(size=(120, 2)).astype(np.float32)
    targets = np.where(values[:, 0] > 0, 3, 1)
    held_out = Table(values[:10], np.array([0, 1, 3, 2, 1, 3, 1, 3, 1, 3]))
    probabilities, _ = fit_classes([0, 0], Table(values, targets), held_out, values, 4)
    assert probabilities.shape == (120, 4)
    assert not probabilities[:, [0, 2]].any()
    assert (probabilities.argmax(1) == targets).mean() > 0.95
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_one_class_alone_is_certain():
    table = Table(np.zeros((5, 1), np.float32), np.full(5, 1))
    probabilities, rounds = fit_classes([0], table, None, np.zeros((2, 1), np.float32), 3)
    assert (probabilities.tolist(), rounds) == ([[0, 1, 0]] * 2, 0)


@pytest.mark.parametrize("codes", [3, 300])
def test_categories_of_any_number_and_unknown_ones(codes):
    draw = np.random.default_rng(0)
    code = draw.integers(0, codes, 600)
    effect = draw.normal(size=codes)
    values = code[:, None].astype(np.float32)
    train, held_out = (Table(values[part], effect[code[part]]) for part in (slice(0, 400), slice(400, 500)))
    # The test rows bring codes that no training row has.
    found, _ = fit_numbers([codes + 5], train, held_out, np.append(values[500:], [[codes + 4.0]], axis=0))
    assert np.isfinite(found).all()
    if codes == 3:
        np.testing.assert_allclose(found[:-1], effect[code[500:]], atol=1e-3)


@pytest.mark.parametrize(
    ("update", "why"),
    [
        (
            {"features": [Feature(name="image", kind="image", dtype="uint8", shape=(2, 2, 1), layout="HWC")]},
            "not a table",
        ),
        ({"target": ClassTarget(name="load", kind="series", outputs=3, classes=[])}, "neither a class nor a number"),
    ],
)
def test_other_kinds_of_data_are_refused(update, why):
    schema = table_schema([number_column("a", [1.0, 2.0])], two_classes()).model_copy(update=update)
    with pytest.raises(ConfigError, match="gradient boosting does not fit") as caught:
        gradient_boosting(schema, {}, np.zeros(1), SETTINGS, seed=0)
    assert caught.value.where == "evaluate.baseline"
    assert why in (caught.value.why or "")
