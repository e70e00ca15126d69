"""Paint over a part of each image."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares, per_image
from stagewise.data.augment.boxes import box_mask


@dataclass(frozen=True)
class Erase:
    """Set one rectangle of an image to ``fill``; it lies wholly inside the image.

    Args:
        low: shortest side, as a share of the image's height or width.
        high: longest side; both sides are drawn uniformly and apart from each other.

    Raises:
        ValueError: not ``0 <= low <= high <= 1``, or ``p`` or ``fill`` does not lie in [0, 1].
    """

    takes = "image"

    low: Annotated[float, Ge(0), Le(1)] = 0.1
    high: Annotated[float, Ge(0), Le(1)] = 0.4
    p: Annotated[float, Ge(0), Le(1)] = 0.5
    fill: Annotated[float, Ge(0), Le(1)] = 0.0

    def __post_init__(self) -> None:
        check_shares(p=self.p, fill=self.fill)
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"low and high are shares with 0 <= low <= high <= 1, not {self.low} and {self.high}")

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with the rectangles painted."""
        height, width = batch.x.shape[-2:]
        size = torch.tensor([height, width], device=keys.device)
        sides = ((self.low + (self.high - self.low) * random.uniform(keys, 1, (2,))) * size).round()
        start = (random.uniform(keys, 2, (2,)) * (size - sides + 1)).floor()
        mask = box_mask(start, start + sides, (height, width))
        mask &= per_image(random.chosen(keys, 0, self.p))
        return batch.with_x(batch.x.masked_fill(mask, self.fill))
