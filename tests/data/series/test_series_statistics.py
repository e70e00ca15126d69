"""Statistics of the training rows."""

import numpy as np
from series_data import hours

from stagewise.data.series.series import Series
from stagewise.data.series.statistics import fit_statistics


def series(values):
    values = np.array(values, np.float64)
    return Series(hours(len(values)), values, tuple("ab"[: values.shape[1]]))


def test_only_observed_training_rows_count():
    one = series([[1, 5], [3, np.nan], [5, 7], [1000, 1000]])
    two = series([[7, 5], [-1000, np.nan]])
    found = fit_statistics([(one, np.arange(4), 3), (two, np.arange(2), 1)])
    assert found.mean == [4.0, 17 / 3]
    assert np.allclose(found.std, [np.std([1, 3, 5, 7]), np.std([5, 7, 5])])
    assert found.varies.all()


def test_a_constant_variable_has_a_deviation_of_one():
    found = fit_statistics([(series([[0.1, 1]] * 7 + [[5, 2]]), np.arange(8), 7)])
    assert found.std == [1.0, 1.0] and not found.varies.any()


def test_the_seasonal_difference_spans_exactly_a_season():
    values = np.array([1.0, 2, 4, 8, 16, 1000])[:, None]
    rows = [(series(values), np.array([0, 1, 2, 4, 5, 6]), 5)]
    # Places 0-2, 2-4 lie two apart; 1-3 and 3-5 have no row at 3; 4-6 leaves the training rows.
    assert fit_statistics(rows).naive(2) == [(abs(4 - 1) + abs(8 - 4)) / 2]
    assert fit_statistics(rows).naive(1) == [(1 + 2 + 8) / 3]
    assert fit_statistics(rows).naive(7) == [0.0]


def test_missing_values_have_no_difference():
    values = np.array([[1, 1], [np.nan, 2], [5, 9]])
    assert fit_statistics([(series(values), np.arange(3), 3)]).naive(1) == [0.0, 4.0]
