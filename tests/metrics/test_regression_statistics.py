"""Figures as functions of row weights: those of other libraries, also on every resample."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score, root_mean_squared_error

from stagewise.metrics.intervals import resample_weights
from stagewise.metrics.regression import R2, Mean, MedianSize, RootMeanSquare

DRAW = np.random.default_rng(5)
TARGETS = DRAW.gamma(2.0, 50_000, 401)
VALUES = TARGETS + DRAW.normal(1000, 30_000, 401)
ERRORS = VALUES - TARGETS
STATISTICS = {
    "rmse": (RootMeanSquare(ERRORS), root_mean_squared_error),
    "mae": (Mean(np.abs(ERRORS)), mean_absolute_error),
    "median": (MedianSize(ERRORS), median_absolute_error),
    "r2": (R2(TARGETS, ERRORS), r2_score),
}


@pytest.mark.parametrize("rows", [401, 400, 1, 2])
@pytest.mark.parametrize("name", STATISTICS)
def test_weights_of_one_give_the_figure_of_sklearn(name, rows):
    if name == "r2" and rows == 1:
        return
    statistic, reference = STATISTICS[name]
    weights = np.zeros((401, 1))
    weights[:rows] = 1
    assert statistic(weights)[0] == pytest.approx(reference(TARGETS[:rows], VALUES[:rows]), rel=1e-9)


@pytest.mark.parametrize("name", STATISTICS)
def test_counts_of_a_resample_give_its_figure(name):
    statistic, reference = STATISTICS[name]
    (weights,) = resample_weights(401, 6, seed=1)
    found = statistic(weights)
    for column in range(6):
        drawn = np.repeat(np.arange(401), weights[:, column].astype(int))
        assert found[column] == pytest.approx(reference(TARGETS[drawn], VALUES[drawn]), rel=1e-9)


def test_mean_of_shares():
    right = np.array([True, False, True, True])
    assert Mean(right)(np.ones((4, 1)))[0] == 0.75


def test_r2_keeps_its_digits_far_from_zero():
    targets, errors = TARGETS + 1e9, ERRORS
    assert R2(targets, errors)(np.ones((401, 1)))[0] == pytest.approx(r2_score(TARGETS, VALUES), rel=1e-6)


def test_undefined_is_nan():
    assert np.isnan(R2(np.full(5, 3.1), np.ones(5))(np.ones((5, 1)))[0])
    weights = np.array([[1.0, 0.0], [0.0, 0.0]])
    for statistic in (
        Mean(np.ones(2)),
        RootMeanSquare(np.ones(2)),
        MedianSize(np.ones(2)),
        R2(np.arange(2.0), np.ones(2)),
    ):
        assert np.isnan(statistic(weights)[1])
