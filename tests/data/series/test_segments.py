"""Runs without gaps, and where forecasts may begin."""

import numpy as np
import pytest
from series_data import hours

from stagewise.data.series.segments import Segment, find_segments, forecast_begins
from stagewise.runtime.series import Step

HOUR = Step(3600, "s")
NAN = np.nan


def segments(values, places=None, most=0):
    values = np.array(values, np.float64).reshape(len(values), -1)
    places = np.arange(len(values)) if places is None else np.array(places)
    return list(find_segments(places, hours(places.max() + 1)[places], values, HOUR, most))


def test_a_whole_series_is_one_segment():
    (only,) = segments([1, 2, 3])
    assert (only.begin, only.end) == (0, 3)
    assert only.values[:, 0].tolist() == [1, 2, 3] and only.observed.all()


def test_a_gap_or_a_missing_value_ends_a_segment():
    found = segments([1, 2, NAN, 3, 4, 5], places=[0, 1, 2, 3, 6, 7])
    assert [(one.begin, one.end) for one in found] == [(0, 2), (3, 4), (6, 8)]
    assert [one.times[0] for one in found] == [hours(7)[place] for place in (0, 3, 6)]


def test_short_gaps_are_filled_along_a_line():
    (only,) = segments([1, 4, NAN, 8], places=[0, 3, 4, 5], most=2)
    assert only.values[:, 0].tolist() == [1, 2, 3, 4, 6, 8]
    assert only.observed[:, 0].tolist() == [True, False, False, True, False, True]
    assert np.array_equal(only.times, hours(6))


def test_longer_gaps_are_not():
    found = segments([1, 5, NAN, NAN, 8], places=[0, 4, 5, 6, 7], most=1)
    assert [(one.begin, one.end) for one in found] == [(0, 1), (4, 5), (7, 8)]


def test_nothing_is_filled_beyond_the_ends():
    found = segments([[NAN, 1], [2, 2], [3, NAN]], most=5)
    assert [(one.begin, one.end) for one in found] == [(1, 2)]


def segment(observed, begin=0):
    observed = np.array(observed, bool).reshape(len(observed), -1)
    return Segment(begin, hours(len(observed)), np.zeros(observed.shape), observed)


def test_forecasts_begin_where_both_sides_fit():
    whole = segment([1] * 20)
    assert forecast_begins(whole, 0, 20, 5, 3).tolist() == list(range(5, 18))
    # A later split may look back before its begin, but forecasts within its own bounds.
    assert forecast_begins(whole, 10, 16, 5, 3).tolist() == [10, 11, 12, 13]
    assert forecast_begins(whole, 10, 12, 5, 3).tolist() == []
    assert forecast_begins(segment([1] * 7), 0, 7, 5, 3).tolist() == []


def test_places_count_from_the_beginning_of_the_series():
    assert forecast_begins(segment([1] * 10, begin=100), 0, 200, 4, 2).tolist() == [104, 105, 106, 107, 108]


def test_no_window_ends_in_a_filled_value():
    observed = [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]
    begins = forecast_begins(segment(observed), 0, 10, 2, 3).tolist()
    assert begins == [2, 3, 6, 7]  # 4 and 5 would look back at the filled values 3 and 4 last
    both = np.stack([[1] * 10, observed], 1)
    assert forecast_begins(segment(both), 0, 10, 2, 3).tolist() == begins  # every variable counts


def test_something_of_the_forecast_was_observed():
    observed = [1, 1, 0, 0, 1, 0, 1]
    assert forecast_begins(segment(observed), 0, 7, 2, 2).tolist() == [5]
    assert forecast_begins(segment(observed), 0, 7, 2, 3).tolist() == [2]


@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_windows_of_random_gaps_hold_what_was_observed(most):
    random = np.random.default_rng(most)
    values = random.normal(size=(300, 2))
    values[random.random(values.shape) < 0.05] = NAN
    places = np.flatnonzero(random.random(300) > 0.04)
    for one in segments(values[places], places, most):
        kept = np.isin(np.arange(one.begin, one.end), places)
        seen = values[one.begin : one.end]
        assert np.array_equal(one.observed, ~np.isnan(seen) & kept[:, None])
        assert np.array_equal(one.values[one.observed], seen[one.observed])
        assert np.isfinite(one.values).all()
