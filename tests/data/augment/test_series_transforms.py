"""Noise on time series, and their scale."""

import pytest
import torch

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.series_jitter import SeriesJitter
from stagewise.data.augment.series_scale import SeriesScale


@pytest.fixture
def batch():
    x = torch.randn(64, 12, 5)
    y = torch.randn(64, 4, 3)
    y[0, 0, 0] = torch.nan
    return Batch(x, y, 0)


def keys(count=64):
    return random.keys(0, 1, torch.arange(count))


def test_jitter_changes_values_and_neither_calendar_nor_targets(batch):
    found = SeriesJitter(std=0.2, p=1.0)(batch, keys())
    assert torch.equal(found.y.nan_to_num(), batch.y.nan_to_num()) and torch.equal(found.x[..., 3:], batch.x[..., 3:])
    noise = found.x[..., :3] - batch.x[..., :3]
    assert (noise != 0).any((1, 2)).all()
    spread = noise.std((1, 2))
    assert spread.max() < 0.3 and spread.mean().item() == pytest.approx(0.1, abs=0.02)  # uniform up to 0.2


def test_jitter_leaves_a_share_alone(batch):
    unchanged = (SeriesJitter(std=0.2, p=0.5)(batch, keys()).x == batch.x).all((1, 2))
    assert 0.3 < unchanged.float().mean() < 0.7
    assert torch.equal(SeriesJitter(std=0.2, p=0.0)(batch, keys()).x, batch.x)


def test_scale_multiplies_window_and_targets_alike(batch):
    found = SeriesScale(low=0.5, high=2.0)(batch, keys())
    factor = found.x[:, 0, 0] / batch.x[:, 0, 0]
    torch.testing.assert_close(found.x[..., :3], batch.x[..., :3] * factor[:, None, None])
    torch.testing.assert_close(found.y, batch.y * factor[:, None, None], equal_nan=True)
    assert torch.equal(found.x[..., 3:], batch.x[..., 3:])
    assert factor.min() >= 0.5 - 1e-5 and factor.max() <= 2 + 1e-5 and factor.std() > 0.2
    assert torch.equal(SeriesScale(low=0.5, high=2.0, p=0.0)(batch, keys()).x, batch.x)


@pytest.mark.parametrize("transform", [SeriesJitter(), SeriesScale()], ids=["jitter", "scale"])
def test_a_row_does_not_depend_on_the_batch_around_it(transform, batch):
    whole = transform(batch, keys())
    part = transform(Batch(batch.x[10:20], batch.y[10:20], 0), keys()[10:20])
    assert torch.equal(whole.x[10:20], part.x) and torch.equal(whole.y[10:20], part.y)
    assert transform.takes == "series"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: SeriesJitter(std=-1), "std is a standard deviation"),
        (lambda: SeriesJitter(p=2), "p must lie"),
        (lambda: SeriesScale(low=2, high=1), "low and high are factors"),
        (lambda: SeriesScale(p=-1), "p must lie"),
    ],
)
def test_an_argument_out_of_range_is_told(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()
