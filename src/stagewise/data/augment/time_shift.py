"""Move recordings in time."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares
from stagewise.data.augment.decibels import check_samples


@dataclass(frozen=True)
class TimeShift:
    """Move each recording by up to ``fraction`` of its length either way, in whole samples; silence comes in.

    Raises:
        ValueError: ``fraction`` or ``p`` does not lie in [0, 1]; when called, the batch holds no recordings.
    """

    fraction: Annotated[float, Ge(0), Le(1)] = 0.1
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "sound"

    def __post_init__(self) -> None:
        check_shares(fraction=self.fraction, p=self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with its recordings moved."""
        check_samples(batch.x)
        length = batch.x.shape[1]
        reach = int(self.fraction * length)
        later = (random.uniform(keys, 1) * (2 * reach + 1)).to(torch.int64) - reach
        later = torch.where(random.chosen(keys, 0, self.p), later, 0)
        source = torch.arange(length, device=keys.device) - later[:, None]
        moved = batch.x.gather(1, source.clamp(0, length - 1))
        return batch.with_x(moved.masked_fill((source < 0) | (source >= length), 0.0))
