import numpy as np
import pytest

from stagewise.tasks.regression.conformal import Conformal
from stagewise.tasks.regression.predictions import Predictions


def rows(targets, values):
    targets, values = np.asarray(targets, float), np.asarray(values, float)
    return Predictions([str(n) for n in range(len(targets))], targets, values)


@pytest.mark.parametrize(("level", "width"), [(0.5, 5.0), (0.8, 8.0), (0.9, 9.0), (0.91, float("inf"))])
def test_half_width_is_the_order_statistic(level, width):
    # Nine sizes 1 to 9, so the k-th holds a new row with probability k / 10.
    conformal = Conformal.of(rows(np.zeros(9), [-3, 1, 2, -4, 5, 9, 8, 7, -6]), "none")
    assert conformal.half_width(level) == width
    assert conformal.reaches(level) == np.isfinite(width)


def test_coverage_is_as_promised_over_many_draws():
    draw, kept = np.random.default_rng(0), []
    for _ in range(2000):
        sizes = draw.standard_t(3, 20)
        conformal = Conformal.of(rows(np.zeros(19), sizes[:19]), "none")
        low, high = conformal.interval(np.zeros(1), 0.8)
        kept.append(low[0] <= sizes[19] <= high[0])
    # At least 0.8, at most 0.8 + 1 / 20; four standard errors of 2,000 draws.
    assert 0.8 - 0.036 < np.mean(kept) < 0.85 + 0.036


def test_interval_is_around_the_value():
    conformal = Conformal.of(rows([0.0] * 9, range(1, 10)), "none")
    low, high = conformal.interval(np.array([100.0, -5.0]), 0.9)
    assert (low.tolist(), high.tolist()) == ([91.0, -14.0], [109.0, 4.0])


def test_intervals_of_a_logarithm_grow_with_the_value_and_are_never_negative():
    targets = np.expm1(np.zeros(9))
    conformal = Conformal.of(rows(targets, np.expm1(np.arange(1, 10) / 10)), "log1p")
    low, high = conformal.interval(np.array([0.0, 10.0, 1000.0]), 0.9)
    assert low[0] == 0
    np.testing.assert_allclose((1 + high) / [1, 11, 1001], np.exp(0.9))
    np.testing.assert_allclose((1 + low[1:]) / [11, 1001], np.exp(-0.9))
