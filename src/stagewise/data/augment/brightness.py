"""Make images lighter or darker."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares, per_image


@dataclass(frozen=True)
class Brightness:
    """Multiply each image by a factor within ``1 - amount`` and ``1 + amount``, uniformly, cut at 1.

    A factor, not a term: black backgrounds stay black.

    Raises:
        ValueError: ``amount`` or ``p`` does not lie in [0, 1].
    """

    takes = "image"

    amount: Annotated[float, Ge(0), Le(1)] = 0.2
    p: Annotated[float, Ge(0), Le(1)] = 0.5

    def __post_init__(self) -> None:
        check_shares(amount=self.amount, p=self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with other brightness."""
        factor = 1 + self.amount * (2 * random.uniform(keys, 1) - 1)
        factor = torch.where(random.chosen(keys, 0, self.p), factor, 1.0)
        return batch.with_x((batch.x * per_image(factor)).clamp_(0, 1))
