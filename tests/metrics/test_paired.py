"""Tango's score statistic against an independent maximisation, and what the intervals hold."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm, ttest_1samp

from stagewise.metrics.paired import paired_interval, tango_interval, tango_score


@pytest.mark.parametrize(("gained", "lost", "rows"), [(1, 0, 44), (12, 2, 50), (5, 9, 120), (0, 3, 30), (20, 20, 400)])
@pytest.mark.parametrize("difference", [-0.1, -0.03, 0.01, 0.08])
def test_the_score_is_that_of_the_restricted_likelihood(gained: int, lost: int, rows: int, difference: float) -> None:
    """The nuisance share that maximises the likelihood under the hypothesis, found by search."""
    rest = rows - gained - lost

    def surprise(share: float) -> float:  # of lost rows; that of gained rows is larger by the difference
        parts = ((gained, share + difference), (lost, share), (rest, 1 - 2 * share - difference))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in parts if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    share = float(minimize_scalar(surprise, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x)
    variance = rows * (2 * share + difference * (1 - difference))
    expected = (gained - lost - rows * difference) / math.sqrt(variance)
    assert tango_score(gained, lost, rows, difference) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_the_interval_ends_where_the_score_rejects() -> None:
    low, high = tango_interval(12, 2, 50, 0.025)
    assert (low, high) == pytest.approx((0.0611, 0.3447), abs=1e-4)
    assert tango_score(12, 2, 50, low) == pytest.approx(norm.isf(0.025), abs=1e-6)
    assert tango_interval(2, 12, 50, 0.025) == pytest.approx((-high, -low))


@pytest.mark.parametrize(("gained", "lost", "rows"), [(0, 0, 1), (0, 0, 500), (1, 0, 1), (0, 7, 7), (7, 0, 7)])
def test_the_interval_of_extreme_tables_is_an_interval(gained: int, lost: int, rows: int) -> None:
    low, high = tango_interval(gained, lost, rows, 0.05)
    assert -1 <= low <= (gained - lost) / rows <= high <= 1


def test_rows_that_never_differ_still_say_only_as_much_as_they_are() -> None:
    low, high = paired_interval(np.zeros(179, np.int8), 0.05)
    z2 = norm.isf(0.05) ** 2
    assert (low, high) == pytest.approx((-z2 / (179 + z2), z2 / (179 + z2)))


def test_right_and_wrong_answers_take_the_score_interval() -> None:
    differences = np.array([1] * 12 + [-1] * 2 + [0] * 36, np.int8)
    assert paired_interval(differences, 0.025) == tango_interval(12, 2, 50, 0.025)


def test_numbers_take_the_interval_of_student() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1, 200)
    expected = ttest_1samp(differences, 0).confidence_interval(0.9)
    assert paired_interval(differences, 0.05) == pytest.approx((expected.low, expected.high))


def test_equal_numbers_are_equal() -> None:
    assert paired_interval(np.zeros(20), 0.05) == (0.0, 0.0)


def test_one_block_says_nothing_of_its_spread() -> None:
    assert paired_interval(np.arange(4.0), 0.05, block=3) == (-math.inf, math.inf)


def test_rows_that_depend_on_their_neighbours_count_in_blocks() -> None:
    """Of 400 samples of a slow series the 90 % interval holds the true mean often enough only in blocks."""
    generator = np.random.default_rng(1)
    held = {1: 0, 100: 0}
    for _ in range(400):
        series = np.convolve(generator.normal(size=1049), np.ones(50) / 50, "valid")
        for block in held:
            low, high = paired_interval(series, 0.05, block)
            held[block] += low <= 0 <= high
    assert held[1] < 120
    assert 330 <= held[100] <= 385
