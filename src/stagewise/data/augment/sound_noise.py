"""Add noise to recordings."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares
from stagewise.data.augment.decibels import amplitudes, check_decibels, check_samples

_STEPS = 2**15  # of full scale: those of the stored rows


@dataclass(frozen=True)
class SoundNoise:
    """Add white Gaussian noise at a signal-to-noise ratio of ``low`` to ``high`` decibels, uniformly.

    The signal is the RMS of the whole row, padding included; a silent row stays silent. The sum is clipped at full
    scale.

    Args:
        low: ratio of the loudest noise; at 0 it is as loud as the recording.
        high: ratio of the faintest noise.
        p: share of recordings that are changed.

    Raises:
        ValueError: not ``-120 <= low <= high <= 120``, or ``p`` not in [0, 1]; when called, there are no recordings.
    """

    low: Annotated[float, Ge(-120), Le(120)] = 10.0
    high: Annotated[float, Ge(-120), Le(120)] = 40.0
    p: Annotated[float, Ge(0), Le(1)] = 0.5

    takes = "sound"

    def __post_init__(self) -> None:
        check_shares(p=self.p)
        check_decibels(self.low, self.high)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with noisy recordings."""
        check_samples(batch.x)
        ratio = amplitudes(keys, 1, -self.high, -self.low)
        std = torch.where(random.chosen(keys, 0, self.p)[:, None], ratio * _rms(batch.x), 0.0)
        noise = random.normal(keys, 2, (batch.x.shape[1],)).mul_(std)
        return batch.with_x(noise.add_(batch.x).clamp_(-1, 1))


def _rms(x: Tensor) -> Tensor:
    """Root mean square of each row, ``[B, 1]``, the same bits in any batch."""
    # Sums of integers do not depend on their order; float sums do, and the order on the batch.
    steps = (x * _STEPS).round().to(torch.int64)
    mean = steps.square().sum(1, keepdim=True).to(torch.float64) / x.shape[1]
    return (mean.sqrt() / _STEPS).to(torch.float32)
