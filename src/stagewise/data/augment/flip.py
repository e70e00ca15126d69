"""Mirror images."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares, per_image


@dataclass(frozen=True)
class Flip:
    """Mirror each image left to right with probability ``horizontal``, top to bottom with ``vertical``.

    Raises:
        ValueError: a probability does not lie in [0, 1].
    """

    takes = "image"

    horizontal: Annotated[float, Ge(0), Le(1)] = 0.5
    vertical: Annotated[float, Ge(0), Le(1)] = 0.0

    def __post_init__(self) -> None:
        check_shares(horizontal=self.horizontal, vertical=self.vertical)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with some images mirrored."""
        x = batch.x
        for stream, (p, axis) in enumerate([(self.horizontal, 3), (self.vertical, 2)]):
            if p > 0:
                x = torch.where(per_image(random.chosen(keys, stream, p)), x.flip(axis), x)
        return batch.with_x(x)
