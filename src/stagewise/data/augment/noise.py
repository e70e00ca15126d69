"""Add noise to images."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares, per_image


@dataclass(frozen=True)
class Noise:
    """Add Gaussian noise to every value of an image, cut at 0 and 1.

    Args:
        std: largest standard deviation, on the scale of [0, 1]; each image draws its own up to this one, uniformly.

    Raises:
        ValueError: ``std`` is negative or ``p`` does not lie in [0, 1].
    """

    takes = "image"

    std: Annotated[float, Ge(0)] = 0.1
    p: Annotated[float, Ge(0), Le(1)] = 0.5

    def __post_init__(self) -> None:
        check_shares(p=self.p)
        if self.std < 0:
            raise ValueError(f"std is a standard deviation, not {self.std}")

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with noisy images."""
        channels, height, width = batch.x.shape[1:]
        std = torch.where(random.chosen(keys, 0, self.p), self.std * random.uniform(keys, 1), 0.0)
        noise = random.normal(keys, 2, (channels, height, width)).mul_(per_image(std))
        return batch.with_x(noise.add_(batch.x).clamp_(0, 1))
