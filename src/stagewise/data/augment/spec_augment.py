"""Hide bands and moments of spectrograms."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares


@dataclass(frozen=True)
class SpecAugment:
    """Set stripes of a standardised spectrogram to 0, its mean: SpecAugment (Park et al., 2019) without time warping.

    A stripe's width is drawn uniformly from 0 to the widest, then its place among those where it fits.

    Args:
        frequency_masks: stripes across all frames.
        frequency_width: widest of them, in mel bands.
        time_masks: stripes across all bands.
        time_width: widest of them, in frames.
        p: share of spectrograms that are changed.

    Raises:
        ValueError: a number is negative, or ``p`` not in [0, 1]; when called, a stripe is wider than the spectrogram.
    """

    frequency_masks: Annotated[int, Ge(0)] = 2
    frequency_width: Annotated[int, Ge(0)] = 6
    time_masks: Annotated[int, Ge(0)] = 2
    time_width: Annotated[int, Ge(0)] = 12
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "spectrogram"

    def __post_init__(self) -> None:
        check_shares(p=self.p)
        if min(self.frequency_masks, self.frequency_width, self.time_masks, self.time_width) < 0:
            raise ValueError("masks and widths are numbers of stripes, bands and frames: none is negative")

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch of spectrograms ``[B, 1, mels, frames]`` with stripes hidden."""
        mels, frames = batch.x.shape[-2:]
        if self.frequency_width > mels or self.time_width > frames:
            stripes = f"stripes of {self.frequency_width} bands and {self.time_width} frames"
            raise ValueError(f"{stripes} do not fit a spectrogram of {mels} bands and {frames} frames")
        bands = _stripes(keys, 1, self.frequency_masks, self.frequency_width, mels)
        moments = _stripes(keys, 2, self.time_masks, self.time_width, frames)
        hidden = bands[:, None, :, None] | moments[:, None, None, :]
        hidden = hidden & random.chosen(keys, 0, self.p).view(-1, 1, 1, 1)
        return batch.with_x(batch.x.masked_fill(hidden, 0.0))


def _stripes(keys: Tensor, stream: int, count: int, widest: int, size: int) -> Tensor:
    """Bool ``[B, size]``: what lies in one of ``count`` stripes."""
    if not count:
        return torch.zeros((len(keys), size), dtype=torch.bool, device=keys.device)
    width, start = random.uniform(keys, stream, (2, count)).unbind(1)
    width = (width * (widest + 1)).to(torch.int64)
    start = (start * (size - width + 1)).to(torch.int64)
    place = torch.arange(size, device=keys.device)
    inside = (place >= start[:, :, None]) & (place < (start + width)[:, :, None])
    return inside.any(1)
