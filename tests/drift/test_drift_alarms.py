"""The false-alarm rate is what it is said to be, and the tails are exact."""

from itertools import accumulate
from math import comb

import numpy as np
import pytest
from scipy import stats

from stagewise.drift import tails
from stagewise.drift.columns import Column
from stagewise.drift.reference import describe
from stagewise.drift.shift import holm, judge

REFERENCE, WINDOW, WINDOWS = 150, 100, 2000
LABELS = ("a", "b", "c", "rare")


@pytest.mark.parametrize(("rank", "rows", "count"), [(1, 1, 1), (1, 30, 20), (15, 30, 20), (30, 30, 20), (7, 500, 400)])
def test_the_count_below_a_rank_is_beta_binomial(rank, rows, count):
    expected = stats.betabinom(count, rank, rows + 1 - rank).pmf(np.arange(count + 1))
    np.testing.assert_allclose(tails.below_rank(rank, rows, count), expected, rtol=1e-7, atol=1e-300)


@pytest.mark.parametrize(("marked", "rows", "count"), [(0, 5, 4), (9, 5, 4), (3, 30, 20), (40, 30, 20), (60, 500, 400)])
def test_a_share_is_tested_as_fisher_does(marked, rows, count):
    expected = stats.hypergeom(rows + count, marked, count).pmf(np.arange(count + 1))
    np.testing.assert_allclose(tails.drawn(marked, rows, count), expected, rtol=1e-7, atol=1e-300)


def test_tails_include_what_was_found():
    both = tails.tails(np.array([0.2, 0.3, 0.5]))
    assert both.at_most == pytest.approx([0.2, 0.5, 1.0])
    assert both.at_least == pytest.approx([1.0, 0.8, 0.5])


@pytest.mark.parametrize("count", [40, 1200], ids=["kept", "not kept"])
def test_tails_keep_their_digits_far_out(count):
    """Against whole numbers, which lose none; scipy's own tails are one minus the other there."""
    found = range(count + 1)
    below = [comb(k + 29, k) * comb(count - k + 30, 30) for k in found]
    drawn = [comb(50, k) * comb(10 + count, count - k) for k in found]
    for both, ways in ((tails.tails_below_rank(30, 60, count), below), (tails.tails_drawn(50, 60, count), drawn)):
        total, up, down = sum(ways), list(accumulate(ways)), list(accumulate(ways[::-1]))[::-1]
        np.testing.assert_allclose(both.at_most, [one / total for one in up], rtol=1e-8, atol=1e-300)
        np.testing.assert_allclose(both.at_least, [one / total for one in down], rtol=1e-8, atol=1e-300)


def test_holm_is_as_in_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.4, 0.4]) == pytest.approx([0.8, 0.8])
    assert holm([]) == []


def _sample(generator, count):
    """Six columns: normal, heavy tails, half of it zeros, few whole numbers, with missing values, and a category; the
    first and the second belong together."""
    normal = generator.normal(size=count)
    heavy = normal + generator.standard_t(1.5, count)
    zeros = generator.exponential(size=count) * (generator.random(count) < 0.5)
    whole = generator.poisson(1.5, count)
    missing = np.where(generator.random(count) < 0.2, np.nan, generator.normal(size=count))
    category = generator.choice(4, count, p=(0.6, 0.3, 0.09, 0.01))
    return np.stack([normal, heavy, zeros, whole, missing, category], axis=1).astype(np.float32)


COLUMNS = [*(Column(f"input.{name}") for name in ("normal", "heavy", "zeros", "whole", "missing")),
           Column("input.category", LABELS)]  # fmt: skip


def _entries(table):
    return [describe(column, table[:, place]) for place, column in enumerate(COLUMNS)]


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_without_drift_alarms_are_as_rare_as_promised(alpha):
    """Every window has a reference of its own, since the rate is over both; the largest alpha shows that the bound is
    no empty one."""
    generator = np.random.default_rng(20)
    alarms, alone = 0, np.zeros(len(COLUMNS))
    for _ in range(WINDOWS):
        entries = _entries(_sample(generator, REFERENCE))
        verdict = judge(entries, REFERENCE, _sample(generator, WINDOW), alpha)
        alarms += verdict.alarm
        alone += [shift.p <= alpha for shift in verdict.shifts]
    most = stats.binom(WINDOWS, alpha).ppf(0.9999)
    assert alarms <= most
    assert (alone <= most).all()
    assert alarms >= alpha * WINDOWS / 20


def test_one_column_of_continuous_values_with_one_edge_has_exactly_its_rate():
    """Where there is only one test and no correction, the rate is met and not only kept below."""
    generator = np.random.default_rng(5)
    found = []
    for _ in range(4000):
        reference, window = np.sort(generator.normal(size=60)), generator.normal(size=40)
        found.append(tails.tails_below_rank(30, 60, 40).at_most[(window <= reference[29]).sum()])
    for alpha in (0.05, 0.2, 0.5):
        cumulative = np.cumsum(tails.below_rank(30, 60, 40))
        reached = cumulative[cumulative <= alpha].max(initial=0.0)  # counts are whole: not every rate can be had
        low, high = stats.binom(4000, reached).ppf((0.0005, 0.9995))
        assert low <= (np.array(found) <= reached + 1e-12).sum() <= high


@pytest.mark.parametrize(
    ("column", "change"),
    [
        (0, lambda values: values + 1),
        (0, lambda values: values * 3),
        (0, lambda values: values * 0.2),
        (2, lambda values: values + (values == 0)),
        (3, lambda values: values + 1),
        (4, lambda values: np.where(np.arange(len(values)) % 2, np.nan, values)),
        (5, lambda values: np.full_like(values, 3)),
        (5, lambda values: values[::-1] * 0),
    ],
    ids=["moved", "wider", "narrower", "no zeros", "one more", "missing", "rare label", "one label"],
)
def test_drift_is_found_in_its_column(column, change):
    generator = np.random.default_rng(8)
    entries = _entries(_sample(generator, 400))
    window = _sample(generator, 200)
    quiet = judge(entries, 400, window, 0.001)
    window[:, column] = change(window[:, column])
    verdict = judge(entries, 400, window, 0.001)
    assert not quiet.alarm
    assert [shift.name for shift in verdict.drifted] == [COLUMNS[column].name]
    assert verdict.drifted[0].psi > max(0.25, 2 * quiet.shifts[column].psi)


def test_a_window_of_nothing_but_missing_values_is_drift_and_no_error():
    entries = _entries(_sample(np.random.default_rng(1), 400))
    window = _sample(np.random.default_rng(2), 100)
    window[:, 0] = np.nan
    verdict = judge(entries, 400, window, 0.001)
    assert [shift.name for shift in verdict.drifted] == ["input.normal"]
    assert verdict.drifted[0].shares[-1] == 1.0


def test_a_column_that_was_always_missing_or_constant_can_be_judged():
    column = Column("input.x")
    for value in (np.nan, 7.0):
        entry = describe(column, np.full(50, value, np.float32))
        assert not judge([entry], 50, np.full((50, 1), value, np.float32), 0.01).alarm
        assert judge([entry], 50, np.full((50, 1), 8.0, np.float32), 0.01).alarm
