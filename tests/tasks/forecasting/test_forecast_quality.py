"""Quality of a compressed forecaster."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.tasks.forecasting.quality import CLOSE, Quality


@pytest.fixture
def batch(gappy):
    schema, _, _ = gappy
    target = schema.target.narrow(SeriesTarget)
    random = np.random.default_rng(0)
    truth = (np.array(target.mean) + np.array(target.std) * random.normal(size=(40, 6, 2))).astype(np.float32)
    forecast = (truth + 0.3 * np.array(target.std) * random.normal(size=truth.shape)).astype(np.float32)
    return schema, truth, forecast


def test_score_is_the_mean_r2_of_the_variables(batch):
    schema, truth, forecast = batch
    quality = Quality(schema)
    for part in (slice(0, 15), slice(15, 40)):
        quality.add(truth[part], (forecast[part],), (forecast[part],))
    expected = [r2_score(truth[..., v].ravel(), forecast[..., v].ravel()) for v in range(2)]
    assert quality.score() == pytest.approx(np.mean(expected), rel=1e-5)
    assert quality.agreement() == 1.0
    assert quality.details() == {"worst_variable": "v0", "worst_variable_drop": 0.0, "largest_shift": 0.0}


def test_values_that_were_not_observed_are_left_out(batch):
    schema, truth, forecast = batch
    holes = truth.copy()
    holes[np.random.default_rng(1).random(truth.shape) < 0.2] = np.nan
    quality = Quality(schema)
    quality.add(holes, (forecast,), (forecast,))
    known = [~np.isnan(holes[..., v]) for v in range(2)]
    expected = [r2_score(truth[..., v][known[v]], forecast[..., v][known[v]]) for v in range(2)]
    assert quality.score() == pytest.approx(np.mean(expected), rel=1e-5)


def test_agreement_and_details_tell_what_changed(batch):
    schema, truth, forecast = batch
    std = np.array(schema.target.narrow(SeriesTarget).std)
    changed = forecast.copy()
    changed[:10, :, 1] += 4 * CLOSE * std[1]
    changed[10:20] += 0.5 * CLOSE * std
    quality = Quality(schema)
    quality.add(truth, (changed,), (forecast,))
    assert quality.agreement() == 0.75
    details = quality.details()
    assert details["worst_variable"] == "v1" and details["worst_variable_drop"] > 0
    assert details["largest_shift"] == pytest.approx(4 * CLOSE, rel=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.2], ids=["all observed", "with gaps"])
def test_what_the_windows_lose_adds_up_to_the_drop(batch, share):
    schema, truth, forecast = batch
    holes = np.where(np.random.default_rng(1).random(truth.shape) < share, np.nan, truth).astype(np.float32)
    changed = (forecast * 1.01).astype(np.float32)
    quality, fp32 = Quality(schema), Quality(schema)
    for part in (slice(0, 15), slice(15, 40)):
        quality.add(holes[part], (changed[part],), (forecast[part],))
        fp32.add(holes[part], (forecast[part],), (forecast[part],))
    assert quality.lost().shape == (40,)
    assert quality.lost().mean() == pytest.approx(fp32.score() - quality.score(), rel=1e-6)
    assert not fp32.lost().any()
    assert quality.block == 6


def test_a_variable_that_does_not_vary_is_left_out(batch):
    schema, truth, forecast = batch
    flat = truth.copy()
    flat[..., 0] = 5.0
    quality = Quality(schema)
    quality.add(flat, (forecast,), (forecast,))
    assert quality.score() == pytest.approx(r2_score(flat[..., 1].ravel(), forecast[..., 1].ravel()), rel=1e-5)
    nothing = Quality(schema)
    nothing.add(np.full_like(truth, 5.0), (forecast,), (forecast,))
    assert nothing.score() == 0.0
    assert not nothing.lost().any()
