"""Pad images and crop them back to their size."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor
from torch.nn import functional

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares


@dataclass(frozen=True)
class Crop:
    """Pad each image by ``padding`` pixels on every side and keep a random window of the old size.

    Pixels are moved whole, never interpolated.

    Args:
        padding: pixels on each side; with ``mode: reflect`` fewer than the image has.
        mode: what the border is: ``constant`` (``fill``), ``reflect`` or ``replicate`` (the edge pixels).

    Raises:
        ValueError: ``padding`` is negative or ``mode`` is unknown; when called, the image is too small to reflect.
    """

    takes = "image"

    padding: Annotated[int, Ge(0)] = 2
    mode: Literal["constant", "reflect", "replicate"] = "constant"
    p: Annotated[float, Ge(0), Le(1)] = 1.0
    fill: Annotated[float, Ge(0), Le(1)] = 0.0

    def __post_init__(self) -> None:
        check_shares(p=self.p, fill=self.fill)
        if self.padding < 0:
            raise ValueError(f"padding is a number of pixels, not {self.padding}")
        if self.mode not in ("constant", "reflect", "replicate"):
            raise ValueError(f"mode is constant, reflect or replicate, not {self.mode!r}")

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with its images cropped."""
        count, _, height, width = batch.x.shape
        if self.mode == "reflect" and self.padding >= min(height, width):
            raise ValueError(f"a {height}x{width} image is too small to reflect {self.padding} pixels")
        start = (random.uniform(keys, 1, (2,)) * (2 * self.padding + 1)).to(torch.int64)
        # The middle window is the image itself.
        start = torch.where(random.chosen(keys, 0, self.p)[:, None], start, self.padding)
        rows = start[:, 0, None] + torch.arange(height, device=keys.device)
        columns = start[:, 1, None] + torch.arange(width, device=keys.device)
        sample = torch.arange(count, device=keys.device)[:, None, None]
        padded = self._pad(batch.x).permute(0, 2, 3, 1)
        return batch.with_x(padded[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2))

    def _pad(self, x: Tensor) -> Tensor:
        value = self.fill if self.mode == "constant" else None
        return functional.pad(x, [self.padding] * 4, mode=self.mode, value=value)
