"""The distance of the steps, and the season that goes with it."""

import numpy as np
import pytest

from stagewise.data.series.steps import infer_step, show_step, usual_season
from stagewise.runtime.series import SeriesError, Step, parse_step


def times(*texts):
    return np.array(texts, "datetime64[s]")


@pytest.mark.parametrize(
    ("given", "step"),
    [
        (["2024-01-01T00", "2024-01-01T01", "2024-01-01T02"], "1h"),
        (["2024-01-01T00:00", "2024-01-01T00:15", "2024-01-01T01:00", "2024-01-01T01:15"], "15min"),
        (["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"], "1d"),
        (["2024-01-01", "2024-01-08", "2024-01-15"], "1w"),
        (["1949-01", "1949-02", "1949-03", "1949-06"], "1mo"),
        (["2023-01-31", "2023-02-28", "2023-03-31"], "1mo"),
        (["2020-01-15", "2020-04-15", "2020-07-15"], "3mo"),
        (["2019", "2020", "2021", "2022"], "1y"),
        (["2024-01-01T00:00:00", "2024-01-01T00:00:07"], "7s"),
        (["2024-01-01", "2024-01-31", "2024-03-01"], "30d"),  # no month: the day of the month wanders
    ],
    ids=lambda value: value if isinstance(value, str) else "times",
)
def test_the_most_frequent_distance_is_found(given, step):
    found = infer_step([times(*given)])
    assert show_step(found) == step
    assert parse_step(step) == found


def test_several_series_have_their_distances_counted_together():
    slow = times("2024-01-01", "2024-01-02")
    assert show_step(infer_step([slow, np.arange(5) * np.timedelta64(3600, "s") + slow[0]])) == "1h"


@pytest.mark.parametrize("given", [[], [times("2024-01-01")], [times("2024-01-01", "2024-01-01")]], ids=["0", "1", "2"])
def test_one_time_has_no_distance(given):
    with pytest.raises(SeriesError, match="no series has two times"):
        infer_step(given)


@pytest.mark.parametrize(
    ("step", "season"),
    [
        *[("15min", 96), ("1h", 24), ("7h", 1), ("1d", 7), ("2d", 1), ("1w", 52)],
        *[("1mo", 12), ("3mo", 4), ("5mo", 1), ("1y", 1), ("row", 1)],
    ],
)
def test_the_usual_season(step, season):
    assert usual_season(parse_step(step)) == season


@pytest.mark.parametrize("text", ["", "h", "0h", "1 h", "1hour", "-1d", "1.5h", "1H", "9999999999s"])
def test_what_is_no_step(text):
    with pytest.raises(SeriesError, match="is no step such as"):
        parse_step(text)


def test_larger_units_are_multiples():
    assert parse_step("60min") == parse_step("1h") == Step(3600, "s")
    assert parse_step("12mo") == parse_step("1y") == Step(12, "mo")
    assert show_step(parse_step("36h")) == "36h" and show_step(parse_step("48h")) == "2d"
