"""Importance: against sums of squares by hand, on grids, on random searches, and where nothing can be said."""

import itertools
import random

import numpy as np
import pytest
from sample_sweeps import LOSS, grid, random_search, trial
from scipy import stats

from stagewise.sweeps.output.importance import importance, main_effects


def test_main_effects_agree_with_the_f_test_of_scipy():
    cells = np.random.default_rng(0).normal(size=(4, 5)) + np.arange(4.0)[:, None]
    found = stats.f_oneway(*cells)
    share, p = main_effects(cells)[0]
    # Epsilon squared from F: (F - 1) df / (F df + df of the rest).
    assert share == pytest.approx((found.statistic - 1) * 3 / (found.statistic * 3 + 16))
    assert p == pytest.approx(found.pvalue)


def test_without_repetitions_combinations_stand_for_chance():
    cells = np.random.default_rng(1).normal(size=(3, 4, 1))
    rows = cells[:, :, 0]
    left = rows - rows.mean(1, keepdims=True) - rows.mean(0, keepdims=True) + rows.mean()
    f = (4 * ((rows.mean(1) - rows.mean()) ** 2).sum() / 2) / ((left**2).sum() / 6)
    assert main_effects(cells)[0][1] == pytest.approx(stats.f.sf(f, 2, 6))


def test_a_full_grid_is_divided_by_main_effects():
    found = importance(grid(), [LOSS])
    assert list(found.shares) == ["optimizer.lr", "model"]
    assert found.method == "analysis of variance over the full grid"
    assert 0.9 < sum(found.shares.values()) <= 1
    assert found.shares["optimizer.lr"] == pytest.approx(0.76, abs=0.02)


def test_chance_explains_nothing():
    shares = []
    for seed in range(200):
        draw = np.random.default_rng(seed)
        shares.append(main_effects(draw.normal(size=(4, 4, 1)))[0])
    # The plain share of squares would be 3 / 15 on average.
    assert np.mean([share for share, _ in shares]) < 0.1
    assert np.mean([p <= 0.05 for _, p in shares]) == pytest.approx(0.05, abs=0.03)


def test_a_share_that_chance_could_have_given_is_marked():
    draw = random.Random(2)
    cells = itertools.product(range(3), range(3), range(2))
    trials = [
        trial(n, [f"a={a}", f"b={b}", f"seed={s}"], {"val_loss": a + draw.gauss(0, 0.3)})
        for n, (a, b, s) in enumerate(cells)
    ]
    found = importance(trials, [LOSS])
    assert found.unsure == ("b",)
    assert importance(grid(), [LOSS]).unsure == ()


def test_a_random_search_asks_a_forest_that_finds_what_matters():
    made, trials = random_search(40)
    found = importance(trials, made.objectives)
    assert next(iter(found.shares)) == "optimizer.lr"
    assert found.shares["optimizer.lr"] > 0.5
    assert found.shares["model.dropout"] < 0.1
    assert sum(found.shares.values()) <= 1
    assert found.method.startswith("permutation importance of a random forest, which explains ")
    assert importance(trials, made.objectives) == found


def noise_search(count=40):
    draw = random.Random(5)
    return [
        trial(n, [f"a={draw.random()!r}", f"b={draw.random()!r}"], {"val_loss": draw.random()}) for n in range(count)
    ]


def same(count=9):
    return [
        trial(n, [f"a={a}", f"b={b}"], {"val_loss": 1.0})
        for n, (a, b) in enumerate(itertools.product(range(3), repeat=2))
    ][:count]


@pytest.mark.parametrize(
    ("trials", "why"),
    [
        ([], "0 finished trials are too few"),
        (grid(1), "6 finished trials are too few to tell: 8 are needed."),
        ([t for t in grid(5) if "model=cnn" in t.overrides], "Fewer than two parameters differ"),
        (grid()[:-3], "5 points that are no full grid are too few"),
        (grid()[:-1], "6 points that are no full grid are too few"),
        (same(), "val_loss is the same in every trial"),
        (noise_search(), "A random forest does not predict points that it was not shown"),
    ],
    ids=["none", "few", "one parameter", "few points", "a seed less", "equal", "noise"],
)
def test_where_nothing_can_be_said_no_number_is(trials, why):
    found = importance(trials, [LOSS])
    assert found.shares == {}
    assert found.missing.startswith(why)
