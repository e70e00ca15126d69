"""Rotate images."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.affine import Affine


@dataclass(frozen=True)
class Rotate(Affine):
    """Turn each image about its centre by up to ``degrees`` either way, uniformly.

    Raises:
        ValueError: ``degrees`` does not lie in [0, 180], or ``p`` or ``fill`` not in [0, 1].
    """

    degrees: Annotated[float, Ge(0), Le(180)] = 10.0
    p: Annotated[float, Ge(0), Le(1)] = 1.0
    fill: Annotated[float, Ge(0), Le(1)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.degrees <= 180:
            raise ValueError(f"degrees is the largest angle, between 0 and 180, not {self.degrees}")

    def matrix(self, size: tuple[int, int], keys: Tensor) -> Tensor:  # noqa: ARG002
        """Return the matrices of the turns, ``[B, 2, 3]``."""
        angle = (2 * random.uniform(keys, 1) - 1) * math.radians(self.degrees)
        angle = torch.where(random.chosen(keys, 0, self.p), angle, 0.0)
        cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        return torch.stack([cosine, -sine, zero, sine, cosine, zero], 1).view(-1, 2, 3)
