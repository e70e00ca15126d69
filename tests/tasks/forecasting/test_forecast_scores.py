"""Figures and their block-bootstrap intervals."""

from dataclasses import replace

import numpy as np
import pytest

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.tasks.forecasting.predictions import Errors, Kept, Predictions
from stagewise.tasks.forecasting.scores import Ratio, Skill, by_step, by_variable, intervals, mean_mase

SETTINGS = {"resamples": 400, "confidence": 0.95, "seed": 1}


def correlated(seed, blocks=40, size=10, spread=1.0):
    """Windows whose errors are nearly the same within a block."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.gamma(4, spread / 4, blocks), size)
    squares = level + random.normal(0, 0.01, len(level))
    ones = np.ones(len(level))
    number = np.repeat(np.arange(blocks), size)
    errors = Errors(float(squares.mean()), float(squares.mean()), squares, squares, np.ones((1, 1)), np.ones((1, 1)))
    naive = replace(errors, window_squares=2 * ones, mse=2.0)
    kept = Kept(np.array([0]), np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32))
    forecasters = {"model": errors, "seasonal_naive": naive, "persistence": naive}
    return Predictions([""] * len(ones), number, ones, np.ones((1, 1)), forecasters, kept)


def test_ratio_and_skill_by_hand():
    weights = np.array([[1.0, 2, 0], [1, 0, 0]])
    above, below = np.array([1.0, 3]), np.array([2.0, 4])
    np.testing.assert_allclose(Ratio(above, below)(weights), [4 / 6, 0.5, np.nan])
    np.testing.assert_allclose(Skill(above, below)(weights), [1 - 4 / 6, 0.5, np.nan])


def test_figures_are_the_points_and_lie_within_their_intervals(predictions):
    found = intervals(predictions, **SETTINGS)
    model, naive = predictions.errors["model"], predictions.errors["seasonal_naive"]
    assert found["mse"].value == model.mse and found["mae"].value == model.mae
    assert found["skill"].value == pytest.approx(1 - model.mse / naive.mse, rel=1e-9)
    for interval in found.values():
        assert interval.low < interval.value < interval.high
    assert intervals(predictions, **SETTINGS) == found


def test_blocks_are_what_is_resampled():
    """Errors alike within a block make the interval as wide as that of as many windows as there are blocks."""
    predictions = correlated(0)
    blocked = intervals(predictions, **SETTINGS)["mse"]
    single = replace(predictions, blocks=np.arange(len(predictions.ids)))
    naive = intervals(single, **SETTINGS)["mse"]
    assert (blocked.high - blocked.low) / (naive.high - naive.low) == pytest.approx(np.sqrt(10), rel=0.25)


def test_intervals_of_correlated_windows_hold_the_truth_as_often_as_they_say():
    held = [
        interval.low <= 1.0 <= interval.high
        for interval in (intervals(correlated(s), **SETTINGS)["mse"] for s in range(200))
    ]
    assert 0.9 <= np.mean(held) <= 0.985


@pytest.mark.parametrize(("blocks", "given"), [(1, False), (4, False), (5, True)])
def test_few_blocks_have_no_interval(blocks, given, predictions):
    number = np.arange(len(predictions.ids)) * blocks // len(predictions.ids)
    found = intervals(replace(predictions, blocks=number), **SETTINGS)
    model, naive = predictions.errors["model"], predictions.errors["seasonal_naive"]
    assert found["mse"].value == model.mse and found["skill"].value == pytest.approx(1 - model.mse / naive.mse)
    assert np.isfinite(found["mse"].low) == np.isfinite(found["mse"].high) == given


def test_errors_by_variable_are_in_their_units(gappy, predictions):
    target = gappy[0].target.narrow(SeriesTarget)
    scores = by_variable(predictions, target)
    assert [(score.name, score.unit) for score in scores] == [("v0", "kW"), ("v1", "°C")]
    model = predictions.errors["model"]
    weights = predictions.step_counts.sum(0)
    assert np.average([score.standard_mse for score in scores], weights=weights) == pytest.approx(model.mse, rel=1e-6)
    for place, score in enumerate(scores):
        assert score.rmse == pytest.approx(np.sqrt(score.standard_mse) * target.std[place])
        assert score.mae == pytest.approx(score.standard_mae * target.std[place])
        assert score.mase == pytest.approx(score.mae / target.naive[place])
    assert mean_mase(scores) == pytest.approx(np.mean([score.mase for score in scores]))


def test_a_variable_that_repeats_exactly_has_no_mase(gappy, predictions):
    target = gappy[0].target.narrow(SeriesTarget).model_copy(update={"naive": [0.0, 2.0]})
    scores = by_variable(predictions, target)
    assert np.isnan(scores[0].mase) and mean_mase(scores) == scores[1].mase
    assert np.isnan(mean_mase(scores[:1]))


def test_errors_by_step_make_up_the_whole(predictions):
    steps = by_step(predictions)
    counts = predictions.step_counts.sum(1)
    for name, (squares, sizes) in steps.items():
        assert squares.shape == sizes.shape == (6,)
        assert np.average(squares, weights=counts) == pytest.approx(predictions.errors[name].mse, rel=1e-6)
    assert (np.diff(steps["persistence"][0]) > 0).all()  # the further ahead, the worse the last value
