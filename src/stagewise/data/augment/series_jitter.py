"""Add noise to time series."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares


@dataclass(frozen=True)
class SeriesJitter:
    """Add Gaussian noise to the values that a forecast is made from; what is to be forecast stays as it was.

    Calendar columns, which come after the variables, stay too.

    Args:
        std: largest standard deviation, in standard deviations of the training rows; each window draws its own up to
            this one, uniformly.
        p: share of the windows that are changed.

    Raises:
        ValueError: ``std`` is negative or ``p`` does not lie in [0, 1].
    """

    std: Annotated[float, Ge(0)] = 0.05
    p: Annotated[float, Ge(0), Le(1)] = 0.5

    takes = "series"
    """The kind of input, as features name it."""

    def __post_init__(self) -> None:
        check_shares(p=self.p)
        if self.std < 0:
            raise ValueError(f"std is a standard deviation, not {self.std}")

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch of windows ``[B, T, V + calendar]`` with noise; ``y`` is ``[B, H, V]``."""
        steps, variables = batch.x.shape[1], batch.y.shape[2]
        std = torch.where(random.chosen(keys, 0, self.p), self.std * random.uniform(keys, 1), 0.0)
        noise = random.normal(keys, 2, (steps, variables)).mul_(std.view(-1, 1, 1))
        values, calendar = batch.x[..., :variables], batch.x[..., variables:]
        return batch.with_x(torch.cat([noise.add_(values), calendar], 2))
