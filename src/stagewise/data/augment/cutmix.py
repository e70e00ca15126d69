"""Paste a part of another image."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, per_image
from stagewise.data.augment.boxes import box_mask
from stagewise.data.augment.mixing import beta, blend_labels, check_mixing, partners


@dataclass(frozen=True)
class CutMix:
    """Paste a rectangle of a partner's image into each image; labels become soft, by the share of pixels.

    Args:
        alpha: the share that is kept is drawn from Beta(alpha, alpha), 0 < alpha <= 1; 1 draws it uniformly.

    Raises:
        ValueError: ``alpha`` or ``p`` is out of range.
    """

    takes = "image"

    alpha: Annotated[float, Gt(0), Le(1)] = 1.0
    p: Annotated[float, Ge(0), Le(1)] = 0.5

    soft_labels = True

    def __post_init__(self) -> None:
        check_mixing(self.alpha, self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with the rectangles pasted."""
        partner = partners(keys, 1)
        mask = self._mask(batch, keys) & per_image(random.chosen(keys, 0, self.p))
        x = torch.where(mask, batch.x[partner], batch.x)
        # The border cuts rectangles off, so the share is counted, not taken from the draw.
        share = 1 - mask.sum((1, 2, 3)) / mask[0].numel()
        return Batch(x, blend_labels(batch, partner, share), batch.classes)

    def _mask(self, batch: Batch, keys: Tensor) -> Tensor:
        height, width = batch.x.shape[-2:]
        size = torch.tensor([height, width], device=keys.device)
        half = (1 - beta(keys, 2, self.alpha)).sqrt()[:, None] * size / 2
        centre = random.uniform(keys, 3, (2,)) * size
        return box_mask((centre - half).round(), (centre + half).round(), (height, width))
