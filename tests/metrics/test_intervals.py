import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from stagewise.metrics.intervals import bootstrap, resample_weights, student, wilson


class Mean:
    """A statistic whose sampling distribution is known."""

    def __init__(self, values):
        self._values = np.asarray(values, np.float64)

    def __call__(self, weights):
        return self._values @ weights / weights.sum(axis=0)


@pytest.mark.parametrize(("right", "total"), [(0, 10), (10, 10), (1, 2), (355, 360), (9913, 10000), (1, 1)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_is_that_of_scipy(right, total, confidence):
    expected = binomtest(right, total).proportion_ci(confidence, method="wilson")
    found = wilson(right, total, confidence)
    assert found.value == right / total
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_wilson_by_hand():
    # 8 of 10 at 95 %: the textbook's (0.4902, 0.9433).
    assert wilson(8, 10, 0.95)[1:] == pytest.approx((0.4902, 0.9433), abs=5e-5)


def test_wilson_of_no_rows_says_nothing():
    found = wilson(0, 0, 0.95)
    assert np.isnan(found.value)
    assert (found.low, found.high) == (0, 1)


def test_bootstrap_is_a_function_of_its_seed():
    statistic = Mean(np.random.default_rng(0).normal(size=50))
    first, again, other = (
        bootstrap([statistic], 50, resamples=200, confidence=0.95, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_resamples_draw_as_many_rows_as_there_are_however_they_are_cut(monkeypatch):
    whole = np.concatenate(list(resample_weights(40, 30, seed=5)), axis=1)
    assert whole.shape == (40, 30)
    assert (whole.sum(axis=0) == 40).all()
    assert whole.std() == pytest.approx(1, abs=0.1)
    monkeypatch.setattr("stagewise.metrics.intervals._CHUNK", 100)
    parts = list(resample_weights(40, 30, seed=5))
    assert len(parts) == 15
    assert (np.concatenate(parts, axis=1) == whole).all()


def test_bootstrap_interval_of_a_mean_is_close_to_the_normal_one():
    values = np.random.default_rng(1).normal(size=400)
    found = bootstrap([Mean(values)], 400, resamples=2000, confidence=0.95, seed=0)[0]
    half = 1.96 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_bootstrap_covers_the_true_value_about_as_often_as_it_says():
    generator = np.random.default_rng(2)
    samples = generator.exponential(size=(200, 80))
    found = [bootstrap([Mean(s)], 80, resamples=200, confidence=0.9, seed=i)[0] for i, s in enumerate(samples)]
    covered = sum(interval.low <= 1 <= interval.high for interval in found)
    assert 0.82 <= covered / 200 <= 0.96


def test_bootstrap_of_a_statistic_that_never_varies_has_no_width():
    assert bootstrap([Mean(np.ones(9))], 9, resamples=50, confidence=0.95, seed=0)[0] == (1, 1, 1)


def test_bootstrap_of_an_undefined_statistic_is_nan():
    found = bootstrap([lambda w: np.full(w.shape[1], np.nan)], 5, resamples=10, confidence=0.95, seed=0)[0]
    assert np.isnan(found).all()


def test_student_is_that_of_scipy():
    values = [0.9, 0.95, 0.92, 0.97, 0.91]
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    found = student(values, 0.95)
    assert found == pytest.approx((np.mean(values), expected.low, expected.high))


def test_student_of_one_value_has_no_bounds():
    assert np.isnan(student([0.5], 0.95)[1:]).all()
