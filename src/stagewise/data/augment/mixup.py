"""Mix images and labels of two rows."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, per_image
from stagewise.data.augment.mixing import beta, blend_labels, check_mixing, partners


@dataclass(frozen=True)
class Mixup:
    """Replace each image and label by a weighted mean of its own and a partner's; labels become soft.

    Args:
        alpha: the weight is drawn from Beta(alpha, alpha), 0 < alpha <= 1; larger mixes more evenly.

    Raises:
        ValueError: ``alpha`` or ``p`` is out of range.
    """

    takes = "image"

    alpha: Annotated[float, Gt(0), Le(1)] = 0.2
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    soft_labels = True

    def __post_init__(self) -> None:
        check_mixing(self.alpha, self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the mixed batch."""
        partner = partners(keys, 1)
        share = torch.where(random.chosen(keys, 0, self.p), beta(keys, 2, self.alpha), 1.0)
        weight = per_image(share)
        x = (batch.x * weight + batch.x[partner] * (1 - weight)).clamp_(0, 1)
        return Batch(x, blend_labels(batch, partner, share), batch.classes)
