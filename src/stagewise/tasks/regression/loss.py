"""Losses of a predicted number."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

RegressionLoss = Literal["mse", "mae", "huber"]


def regression_loss(output: Tensor, y: Tensor, kind: RegressionLoss, delta: float) -> Tensor:
    """Mean loss over the rows.

    Args:
        output: predicted numbers ``[N]``.
        y: true numbers ``[N]``, on the same scale.
        kind: ``mse`` squares the error, ``mae`` takes its size, ``huber`` halves the square up to ``delta`` and is a
            line of slope ``delta`` beyond it.
        delta: of ``huber``.

    Raises:
        ValueError: there is no such loss.
    """
    if kind == "mse":
        return functional.mse_loss(output, y)
    if kind == "mae":
        return functional.l1_loss(output, y)
    if kind == "huber":
        return functional.huber_loss(output, y, delta=delta)
    raise ValueError(f"loss must be mse, mae or huber, not {kind!r}")
