"""Scale time series."""

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares


@dataclass(frozen=True)
class SeriesScale:
    """Multiply the standardised values of a window, and of what follows it, by one factor.

    The swings about the training mean become larger or smaller, for what is looked back at and what is to be forecast
    alike. Networks that normalise each window hardly notice. Calendar columns, which come after the variables, stay.

    Args:
        low, high: the factor of each window is drawn from these, uniformly.
        p: share of the windows that are changed.

    Raises:
        ValueError: not ``0 < low <= high``, or ``p`` does not lie in [0, 1].
    """

    low: Annotated[float, Gt(0)] = 0.8
    high: Annotated[float, Gt(0)] = 1.25
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "series"
    """The kind of input, as features name it."""

    def __post_init__(self) -> None:
        check_shares(p=self.p)
        if not 0 < self.low <= self.high:
            raise ValueError(f"low and high are factors with 0 < low <= high, not {self.low} and {self.high}")

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with scaled windows ``[B, T, V + calendar]`` and targets ``[B, H, V]``."""
        variables = batch.y.shape[2]
        factor = self.low + (self.high - self.low) * random.uniform(keys, 1)
        factor = torch.where(random.chosen(keys, 0, self.p), factor, 1.0).view(-1, 1, 1)
        values, calendar = batch.x[..., :variables] * factor, batch.x[..., variables:]
        return replace(batch, x=torch.cat([values, calendar], 2), y=batch.y * factor)
