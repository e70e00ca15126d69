"""Levels in decibels, drawn alike on every device."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from stagewise.data.augment import random

_LEVELS = 4096


def amplitudes(key: Tensor, stream: int, low: float, high: float) -> Tensor:
    """Draw amplitude factors float32 ``[B, 1]``, uniform in decibels between ``low`` and ``high`` (4,096 levels)."""
    # From a table: the last bit of a power depends on the device, and on where a row stands in its batch.
    level = (random.uniform(key, stream) * _LEVELS).to(torch.int64)
    return _factors(low, high, key.device).index_select(0, level)[:, None]


def check_decibels(low: float, high: float) -> None:
    """Raise ValueError unless ``low`` and ``high`` are levels within 120 dB, in this order."""
    if not -120 <= low <= high <= 120:
        raise ValueError(f"low and high are decibels with -120 <= low <= high <= 120, not {low} and {high}")


def check_samples(x: Tensor) -> None:
    """Raise ValueError unless ``x`` is a batch of recordings ``[B, samples]``."""
    if x.ndim != 2:
        raise ValueError(f"it changes recordings [B, samples], not values of shape {list(x.shape)}")


@cache
def _factors(low: float, high: float, device: torch.device) -> Tensor:
    middles = (np.arange(_LEVELS) + 0.5) / _LEVELS
    return torch.from_numpy(10 ** ((low + (high - low) * middles) / 20)).to(torch.float32).to(device)
