"""Repetitions, ranking and noise, each number against scipy."""

import math
import random

import pytest
from sample_sweeps import ACCURACY, BYTES, LOSS, failed, grid, random_search, sweep, trial, with_failures
from scipy import stats

from stagewise.errors import SweepError
from stagewise.sweeps.output import words
from stagewise.sweeps.output.noise import against_best, holm, paired_p, welch_p
from stagewise.sweeps.output.pareto import front, pareto_trials
from stagewise.sweeps.output.points import estimate, rank, unranked


def seeded(model, losses, first=0, start=0):
    return [
        trial(start + n, [f"model={model}", f"seed={first + n}"], {"val_loss": loss}) for n, loss in enumerate(losses)
    ]


def test_repetitions_become_a_mean_with_the_t_interval_of_scipy():
    points = rank(grid(), [LOSS])
    assert [point.n for point in points] == [3] * 6
    assert points[0].settings == {"model": "cnn", "optimizer.lr": "0.01"}
    for point in points:
        values = [item.metrics["val_loss"] for item in point.measured]
        low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
        found = point.estimates["val_loss"]
        assert found.mean - found.half == pytest.approx(low)
        assert found.mean + found.half == pytest.approx(high)


def test_one_seed_has_no_interval():
    assert estimate([2.5]).half is None
    assert estimate([2.5, 2.5]).half == 0
    assert {point.estimates["val_loss"].half for point in rank(grid(1), [LOSS])} == {None}


def test_the_direction_decides_what_is_first():
    up, down = rank(grid(), [ACCURACY]), rank(grid(), [ACCURACY.model_copy(update={"direction": "min"})])
    assert [point.settings for point in up] == [point.settings for point in reversed(down)]
    assert [point.rank for point in up] == [1, 2, 3, 4, 5, 6]


def test_what_did_not_finish_never_ranks():
    made, trials = with_failures()
    points = rank(trials, made.objectives)
    assert {item.state for point in points for item in point.measured} == {"finished"}
    assert points[0].states == {"finished": 2, "failed": 1}
    assert points[0].n == 2
    assert [item.id[-2:] for item in unranked(trials, made.objectives)] == ["04", "0f", "10", "11"]
    better = trial(99, ["model=x"], {"val_loss": -5.0}, state="pruned")
    assert rank([*trials, better], made.objectives) == points
    assert rank([failed(1, ["a=1"])], [LOSS]) == []


def test_what_is_applied_is_the_repetition_nearest_to_the_mean():
    (point,) = rank(seeded("cnn", [0.1, 0.5, 0.62]), [LOSS])
    assert point.typical(LOSS).metrics["val_loss"] == 0.5
    assert point.seconds == pytest.approx(31)


def test_several_objectives_put_optimal_points_first():
    made, trials = random_search()
    points = rank(trials, made.objectives)
    flags = [point.optimal for point in points]
    assert flags == sorted(flags, reverse=True)
    assert 1 < sum(flags) < len(flags)
    for half in (flags.index(False), len(flags)):
        losses = [point.estimates["val_loss"].mean for point in points if point.optimal == (half < len(flags))]
        assert losses == sorted(losses)


def test_an_optimal_point_comes_before_a_better_loss_that_is_beaten():
    figures = [(0.1, 50.0), (0.2, 60.0), (0.9, 10.0)]
    trials = [trial(n, [f"a={n}"], {"val_loss": loss, "bytes": size}) for n, (loss, size) in enumerate(figures)]
    points = rank(trials, [LOSS, BYTES])
    assert [(point.settings["a"], point.optimal) for point in points] == [("0", True), ("2", True), ("1", False)]


def test_a_sweep_without_objective_is_refused():
    with pytest.raises(SweepError, match="no objective"):
        rank(grid(), [])


def test_the_front_is_what_no_other_row_beats():
    rows = [(1, 5), (2, 2), (2, 3), (5, 1), (5, 5), (2, 2)]
    assert front(rows) == [True, True, False, True, False, True]
    draw = random.Random(0)
    cloud = [(draw.random(), draw.random()) for _ in range(60)]
    best, brute = math.inf, set()
    for row in sorted(cloud):
        if row[1] < best:
            best = row[1]
            brute.add(row)
    assert {row for row, keep in zip(cloud, front(cloud), strict=True) if keep} == brute


def test_pareto_trials_heed_directions_and_leave_out_failures():
    trials = [
        trial(n, [f"a={n}"], {"val_accuracy": a, "bytes": b})
        for n, (a, b) in enumerate([(0.9, 10), (0.9, 20), (0.95, 20), (0.5, 5)])
    ]
    trials.append(trial(9, ["a=9"], {"val_accuracy": 1.0, "bytes": 1}, state="failed"))
    assert [item.id[-1] for item in pareto_trials(trials, [ACCURACY, BYTES])] == ["0", "2", "3"]


@pytest.mark.parametrize("seed", range(5))
def test_p_values_are_those_of_scipy(seed):
    draw = random.Random(seed)
    one, other = [draw.gauss(0, 1) for _ in range(4)], [draw.gauss(1, 3) for _ in range(4)]
    assert paired_p(one, other) == pytest.approx(stats.ttest_rel(one, other).pvalue)
    assert welch_p(one, [*other, 2.0]) == pytest.approx(stats.ttest_ind(one, [*other, 2.0], equal_var=False).pvalue)


def test_values_without_spread_are_equal_or_different_for_sure():
    assert paired_p([1.0, 2.0], [1.0, 2.0]) == welch_p([1.0, 1.0], [1.0, 1.0]) == 1
    assert paired_p([1.0, 2.0], [2.0, 3.0]) == welch_p([1.0, 1.0], [2.0, 2.0]) == 0


def test_holm_steps_down_and_never_turns_the_order():
    assert holm([0.01, 0.04, 0.03], 3) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01, 0.04, 0.03], 6) == pytest.approx([0.06, 0.16, 0.15])
    assert holm([0.9, 0.8], 2) == [1.0, 1.0]
    assert holm([], 0) == []


def test_equal_seeds_are_paired_others_are_not():
    trials = seeded("a", [0.10, 0.30, 0.50]) + seeded("b", [0.12, 0.321, 0.52], start=10)
    trials += seeded("c", [0.9, 1.1, 1.4], first=5, start=20) + seeded("d", [0.4], start=30)
    points = rank(trials, [LOSS])
    compared = {item.point.settings["model"]: item for item in against_best(points, LOSS)}
    assert {name: item.method for name, item in compared.items()} == {"b": "paired", "c": "welch", "d": None}
    # Three points have seeds to judge by, so there are three pairs.
    raw = {
        "b": stats.ttest_rel([0.10, 0.30, 0.50], [0.12, 0.321, 0.52]).pvalue,
        "c": stats.ttest_ind([0.10, 0.30, 0.50], [0.9, 1.1, 1.4], equal_var=False).pvalue,
    }
    assert raw["b"] < raw["c"]
    assert compared["b"].p == pytest.approx(3 * raw["b"])
    assert compared["c"].p == pytest.approx(2 * raw["c"])
    assert compared["b"].within is False
    assert compared["d"].within is None


def test_repetitions_under_one_seed_are_no_pairs():
    trials = [trial(n, [f"model={m}", "seed=0"], {"val_loss": n / 10}) for n, m in enumerate("aabb")]
    (item,) = against_best(rank(trials, [LOSS]), LOSS)
    assert item.method == "welch"


def test_equal_points_are_rarely_told_apart():
    """The best is picked after looking: with Holm over its own comparisons alone, about one sweep in ten is wrong."""
    draw, wrong = random.Random(1), 0
    for _ in range(200):
        trials = [
            trial(10 * m + s, [f"model={m}", f"seed={s}"], {"val_loss": draw.gauss(0, 1)})
            for m in range(8)
            for s in range(3)
        ]
        wrong += any(item.within is False for item in against_best(rank(trials, [LOSS]), LOSS))
    assert wrong <= 10


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ([], ["No trial finished, so there is no ranking."]),
        (grid(1)[:1], ["Only one point finished: there is nothing to compare it with."]),
        (grid(1), ["One seed per point: differences cannot be judged. Add 'seed=range(3)' to repeat each point."]),
        (
            grid(),
            [
                "Within noise of the best in val_loss, so it cannot be told which is better: rank 2.",
                "Different from the best beyond noise: ranks 3 to 6.",
                "Judged at 95% by t test paired by seed, with Holm's correction for all pairs of points.",
            ],
        ),
        (
            [*grid()[3:12], *grid()[16:17]],
            [
                "No other point that has seeds to judge by is within noise of the best in val_loss.",
                "Different from the best beyond noise: ranks 2 and 3.",
                "One seed only, not judged: rank 4.",
                "Judged at 95% by t test paired by seed, with Holm's correction for all pairs of points.",
            ],
        ),
        (
            [*grid()[3:4], *grid()[6:12]],
            ["The best point, or every other one, has one seed: differences from it cannot be judged."],
        ),
    ],
    ids=["none", "one", "one seed", "seeds", "mixed", "best alone"],
)
def test_noise_in_words(trials, said):
    assert words.verdicts(rank(trials, [LOSS]), [LOSS]) == said


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.123456789], "0.12346"), ([0.1, 0.12, 0.13], "0.117 ± 0.038"), ([400_000.0, 400_002.0], "400,001 ± 13"),
        ([1.0, 1.0], "1 ± 0"), ([1e-7, 2e-7], "1.5e-07 ± 6.4e-07"), ([123456.0], "123,456"), ([1e30, 3e30], "2e+30 ± 1.3e+31"),
        ([0.0, 0.0], "0 ± 0"), ([-0.25, -0.75], "-0.5 ± 3.2"),
    ],
)  # fmt: skip
def test_estimates_in_words(values, text):
    assert words.estimate(estimate(values)) == text


@pytest.mark.parametrize(
    ("stage", "error", "said"),
    [
        ("train", "epoch 1\ntrain: the loss is not finite\n  next:  lower it\ndvc.exceptions.ReproductionError: x", "failed in train: the loss is not finite"),
        ("train", "Traceback (most recent call last):\n  File\nValueError: bad\n\nTraceback (most recent call last):\ndvc.stage.StageCmdFailedError: x\n", "failed in train: ValueError: bad"),
        (None, "", "failed: no message"),
        ("train", "   only this", "failed in train: only this"),
    ],
)  # fmt: skip
def test_an_error_is_told_by_the_line_that_says_why(stage, error, said):
    assert words.failure(failed(1, [], stage=stage, error=error)) == said


def test_ranks_are_told_in_runs():
    assert words.ranks([2]) == "rank 2"
    assert words.ranks([2, 4, 5, 7, 8, 9]) == "ranks 2, 4 and 5, 7 to 9"


def test_the_headline_counts_trials_not_begun():
    assert words.headline(*with_failures()) == "15 of 20 trials finished, 2 failed"
    assert words.headline(*sweep(grid(1)[:1])) == "1 of 1 trial finished"
