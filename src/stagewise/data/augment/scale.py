"""Scale images."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.affine import Affine, identity


@dataclass(frozen=True)
class Scale(Affine):
    """Magnify each image about its centre by a factor between ``low`` and ``high``, uniformly.

    Raises:
        ValueError: not ``0 < low <= high``, or ``p`` or ``fill`` does not lie in [0, 1].
    """

    low: Annotated[float, Gt(0)] = 0.9
    high: Annotated[float, Gt(0)] = 1.1
    p: Annotated[float, Ge(0), Le(1)] = 1.0
    fill: Annotated[float, Ge(0), Le(1)] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.low <= self.high:
            raise ValueError(f"low and high are factors with 0 < low <= high, not {self.low} and {self.high}")

    def matrix(self, size: tuple[int, int], keys: Tensor) -> Tensor:  # noqa: ARG002
        """Return the matrices of the magnifications, ``[B, 2, 3]``."""
        factor = self.low + (self.high - self.low) * random.uniform(keys, 1)
        factor = torch.where(random.chosen(keys, 0, self.p), factor, 1.0)
        return identity(keys) / factor[:, None, None]
