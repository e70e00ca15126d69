"""Settings on the axes of pictures."""

import math
import random
from itertools import pairwise

import pytest
from sample_sweeps import trial

from stagewise.sweeps.output.values import ABSENT, metric_scale, number, setting_scale, short, spans_decades, swept


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", 1), ("-3", -3), ("1e-3", 0.001), (".5", 0.5), ("2.", 2.0), ("+1E2", 100.0), ("", None), ("nan", None), ("1e999", None), ("0x10", None), ("1_0", None), ("٣", None), ("1 ", None)],
)  # fmt: skip
def test_numbers_are_what_yaml_and_json_call_so(text, found):
    assert number(text) == found
    assert type(number(text)) is type(found)


def test_swept_keys_differ_between_trials_and_are_no_seed():
    trials = [trial(n, ["data=x", f"model={'ab'[n]}", f"seed={n}", *(["+late=1"] if n else [])]) for n in range(2)]
    assert swept(trials) == ["model", "late"]
    assert swept(trials[:1]) == []


def test_short_names_stay_apart():
    assert short(["optimizer.lr", "model", "scheduler.lr", "a.b.c"]) == {
        "optimizer.lr": "optimizer.lr", "model": "model", "scheduler.lr": "scheduler.lr", "a.b.c": "c",
    }  # fmt: skip
    assert short(["lr", "optimizer.lr"]) == {"lr": "lr", "optimizer.lr": "optimizer.lr"}


@pytest.mark.parametrize(
    ("values", "log"),
    [([0.001, 0.01], True), ([1e-4, 1e-3, 1e-2], True), ([1, 2, 3, 4, 12], True), ([1, 5, 9, 13], False), (list(range(1, 13)), False), ([16, 32, 64, 128, 256], True), ([1, 2, 4], False), ([0, 1, 100], False), ([-1, 100], False), ([5], False)],
)  # fmt: skip
def test_a_logarithmic_axis_where_values_are_spread_like_that(values, log):
    assert spans_decades([float(value) for value in values]) is log


@pytest.mark.parametrize("seed", range(20))
def test_every_value_lies_on_its_axis_in_order(seed):
    draw = random.Random(seed)
    values = [
        10 ** draw.uniform(-300, 300) * draw.choice([1, 1, 1, -1 if seed % 2 else 1])
        for _ in range(draw.randint(1, 20))
    ]
    for scale, given in (
        (metric_scale(values), sorted(values)),
        (setting_scale([repr(value) for value in values]), sorted(values)),
    ):
        places = [scale.place(value) for value in given]
        assert places == sorted(places)
        assert all(0 <= place <= 1 for place in places)
        ticks = [place for place, _ in scale.ticks()]
        assert all(0 <= place <= 1 for place in ticks)
        assert all(b - a > 0.1 for a, b in pairwise(ticks))


def test_ends_of_the_floats_are_no_trouble():
    scale = metric_scale([-1.7e308, 1.7e308])
    assert scale.place(0.0) == pytest.approx(0.5)
    assert all(math.isfinite(place) for place, _ in scale.ticks())


def test_categories_stand_side_by_side_what_is_not_set_last():
    scale = setting_scale(["b", ABSENT, "a", "b", "1"])
    assert [label for _, label in scale.ticks()] == ["1", "a", "b", ABSENT]
    assert [place for place, _ in scale.ticks()] == [0.125, 0.375, 0.625, 0.875]


def test_a_training_that_diverged_does_not_flatten_the_others():
    assert metric_scale([0.1, 0.2, 5e6]).log
    assert not metric_scale([0.1, 0.2, 5.0]).log
    assert not metric_scale([0.0, 0.2, 5e6]).log


def test_ticks_are_round_numbers_and_on_a_grid_its_values():
    assert [label for _, label in setting_scale(["1e-3", "0.01", "1e-1"]).ticks()] == ["0.001", "0.01", "0.1"]
    assert [label for _, label in metric_scale([0.13, 0.52]).ticks()] == ["0.2", "0.3", "0.4", "0.5"]
    assert [label for _, label in metric_scale([90_000.0, 410_000.0]).ticks()] == [
        "100,000",
        "200,000",
        "300,000",
        "400,000",
    ]
    assert [label for _, label in metric_scale([0.5, 5e6]).ticks()] == ["1", "100", "10,000", "1,000,000"]
