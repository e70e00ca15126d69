"""The forecasting loss: errors of the values that were observed."""

import torch
from torch import Tensor

CRITERIA = ("mse", "mae", "huber")


def forecast_loss(output: Tensor, y: Tensor, criterion: str, delta: float = 1.0) -> Tensor:
    """Mean over the rows of the mean error of each row's observed values.

    Args:
        output: ``[N, H, V]``.
        y: ``[N, H, V]``, NaN where nothing was observed; every row has some value.
        criterion: one of CRITERIA.
        delta: where ``huber`` turns from half a square into a line.
    """
    known = ~torch.isnan(y)
    error = torch.where(known, output - y, 0.0)
    if criterion == "mae":
        size = error.abs()
    elif criterion == "mse":
        size = error.square()
    else:
        inside = error.abs().clamp(max=delta)
        size = inside * (error.abs() - inside / 2)
    return (size.sum((1, 2)) / known.sum((1, 2)).clamp(min=1)).mean()
