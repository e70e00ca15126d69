"""Make recordings louder or quieter."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares
from stagewise.data.augment.decibels import amplitudes, check_decibels, check_samples


@dataclass(frozen=True)
class Gain:
    """Amplify each recording by ``low`` to ``high`` decibels, uniformly; what exceeds full scale is clipped.

    Raises:
        ValueError: not ``-120 <= low <= high <= 120``, or ``p`` not in [0, 1]; when called, there are no recordings.
    """

    low: Annotated[float, Ge(-120), Le(120)] = -10.0
    high: Annotated[float, Ge(-120), Le(120)] = 6.0
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "sound"

    def __post_init__(self) -> None:
        check_shares(p=self.p)
        check_decibels(self.low, self.high)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch at other levels."""
        check_samples(batch.x)
        louder = amplitudes(keys, 1, self.low, self.high)
        factor = torch.where(random.chosen(keys, 0, self.p)[:, None], louder, 1.0)
        return batch.with_x((batch.x * factor).clamp_(-1, 1))
