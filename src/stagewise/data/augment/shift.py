"""Shift images."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.affine import Affine, identity
from stagewise.data.augment.batch import check_shares


@dataclass(frozen=True)
class Shift(Affine):
    """Move each image by up to ``fraction`` of its height and width, uniformly, in parts of a pixel.

    Raises:
        ValueError: ``fraction``, ``p`` or ``fill`` does not lie in [0, 1].
    """

    fraction: Annotated[float, Ge(0), Le(1)] = 0.1
    p: Annotated[float, Ge(0), Le(1)] = 1.0
    fill: Annotated[float, Ge(0), Le(1)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shares(fraction=self.fraction)

    def matrix(self, size: tuple[int, int], keys: Tensor) -> Tensor:
        """Return the matrices of the moves, ``[B, 2, 3]``."""
        reach = torch.tensor([size[1], size[0]], device=keys.device) * self.fraction
        offset = (2 * random.uniform(keys, 1, (2,)) - 1) * reach
        matrix = identity(keys)
        matrix[:, :, 2] = torch.where(random.chosen(keys, 0, self.p)[:, None], offset, 0.0)
        return matrix
