"""The loss against numpy and torch."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from stagewise.tasks.forecasting.loss import CRITERIA, forecast_loss

REFERENCES = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": lambda a, b: functional.huber_loss(a, b, delta=0.7),
}


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 6, 3, generator=generator), torch.randn(5, 6, 3, generator=generator)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_complete_targets_give_the_plain_mean(criterion, pair):
    output, y = pair
    torch.testing.assert_close(forecast_loss(output, y, criterion, 0.7), REFERENCES[criterion](output, y))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_values_that_were_not_observed_take_no_part(criterion, pair):
    output, y = pair
    y = y.clone()
    y[torch.rand(y.shape, generator=torch.Generator().manual_seed(1)) < 0.3] = torch.nan
    output.requires_grad_()
    loss = forecast_loss(output, y, criterion, 0.7)
    known = ~torch.isnan(y)
    rows = [REFERENCES[criterion](o[k], t[k]).item() for o, t, k in zip(output, y, known, strict=True)]
    assert loss.item() == pytest.approx(np.mean(rows), rel=1e-5)
    loss.backward()
    assert torch.isfinite(output.grad).all()
    assert (output.grad[~known] == 0).all() and (output.grad[known] != 0).all()


def test_means_of_batches_make_up_the_mean_of_all(pair):
    output, y = pair
    y = y.clone()
    y[0, :5] = torch.nan
    parts = [forecast_loss(output[part], y[part], "mse").item() * n for part, n in ((slice(2), 2), (slice(2, 5), 3))]
    assert sum(parts) / 5 == pytest.approx(forecast_loss(output, y, "mse").item(), rel=1e-6)
