import numpy as np
import pytest
from sklearn.metrics import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    median_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from stagewise.tasks.regression.predictions import Predictions
from stagewise.tasks.regression.scores import figures, intervals, is_relative, statistics


def test_figures_are_those_of_sklearn(predictions_of):
    predictions = predictions_of(bias=500.0)
    targets, values = predictions.targets, predictions.values
    expected = {
        "rmse": root_mean_squared_error(targets, values),
        "mae": mean_absolute_error(targets, values),
        "median_absolute_error": median_absolute_error(targets, values),
        "r2": r2_score(targets, values),
        "mean_error": np.mean(values - targets),
        "mape": mean_absolute_percentage_error(targets, values),
    }
    assert figures(predictions, relative=True) == pytest.approx(expected, rel=1e-9)


def test_statistics_give_the_same_figures(predictions_of):
    predictions = predictions_of()
    ones = np.ones((400, 1))
    found = {n: f(ones)[0] for n, f in statistics(predictions.targets, predictions.values, relative=True).items()}
    assert found == pytest.approx(figures(predictions, relative=True), rel=1e-9)


def test_intervals_hold_the_figure(predictions_of):
    found = intervals(predictions_of(), relative=True, resamples=100, confidence=0.95, seed=1)
    assert list(found) == ["rmse", "mae", "median_absolute_error", "r2", "mean_error", "mape"]
    for interval in found.values():
        assert interval.low < interval.value < interval.high


def test_intervals_hold_the_truth_as_often_as_they_say(predictions_of):
    # Of normal errors: the deviation, its mean size, and the median of that.
    truths = {"rmse": 100.0, "mae": 100 * (2 / np.pi) ** 0.5, "median_absolute_error": 67.449, "mean_error": 0.0}
    kept = dict.fromkeys(truths, 0)
    for seed in range(100):
        found = intervals(predictions_of(200, seed, 100.0), relative=False, resamples=100, confidence=0.9, seed=seed)
        for name, truth in truths.items():
            kept[name] += found[name].low < truth < found[name].high
    # Three standard errors of 100 draws below and above 90.
    assert all(81 <= count <= 99 for count in kept.values()), kept


def test_undefined_figures_are_left_out():
    same = Predictions(["a", "b", "c"], np.full(3, 5.0), np.array([4.0, 5.0, 7.0]))
    found = intervals(same, relative=False, resamples=50, confidence=0.9, seed=0)
    assert list(found) == ["rmse", "mae", "median_absolute_error", "mean_error"]


@pytest.mark.parametrize(
    ("targets", "minimum", "sensible"),
    [([1.0, 2.0], 0.5, True), ([1.0, 0.0], 0.5, False), ([1.0, 2.0], 0.0, False), ([1.0, -2.0], 0.5, False)],
)
def test_a_share_of_the_truth_needs_positive_targets(targets, minimum, sensible):
    assert is_relative(np.array(targets), minimum) is sensible
