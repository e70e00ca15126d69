"""Raise or lower the contrast of images."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares, per_image


@dataclass(frozen=True)
class Contrast:
    """Scale each image's distance from its mean by a factor within ``1 - amount`` and ``1 + amount``, uniformly.

    Raises:
        ValueError: ``amount`` or ``p`` does not lie in [0, 1].
    """

    takes = "image"

    amount: Annotated[float, Ge(0), Le(1)] = 0.2
    p: Annotated[float, Ge(0), Le(1)] = 0.5

    def __post_init__(self) -> None:
        check_shares(amount=self.amount, p=self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with other contrast."""
        picked = random.chosen(keys, 0, self.p)
        factor = per_image(1 + self.amount * (2 * random.uniform(keys, 1) - 1))
        changed = (batch.x * factor + image_means(batch.x) * (1 - factor)).clamp_(0, 1)
        return batch.with_x(torch.where(per_image(picked), changed, batch.x))


def image_means(x: Tensor) -> Tensor:
    """Return the mean of each image, ``[B, 1, 1, 1]``, to 2**-16, the same bits in any batch."""
    # Float sums depend on the order, which depends on the batch; sums of integers do not.
    total = (x * 2**16).to(torch.int32).sum((1, 2, 3), keepdim=True)
    return total.to(torch.float32) / (2**16 * x[0].numel())
