"""Swap values of a table between rows."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares


@dataclass(frozen=True)
class SwapNoise:
    """Replace a share of the values of a row by those that other rows of the batch have in the same column.

    Every value stays one that its column has, missing ones and categories included, which added noise could not keep:
    what becomes unlikely is the combination. Labels stay. The denoising autoencoders for tables use it
    (M. Jahrer, Porto Seguro's Safe Driver Prediction, 2017).

    Args:
        share: probability that a value is replaced, drawn for each value.
        p: share of the rows that are changed.

    Raises:
        ValueError: an argument does not lie in [0, 1].
    """

    share: Annotated[float, Ge(0), Le(1)] = 0.1
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "table"
    """The kind of input, as features name it."""

    def __post_init__(self) -> None:
        check_shares(share=self.share, p=self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch of tables ``[B, F]`` with swapped values."""
        rows, columns = batch.x.shape
        swapped = random.uniform(keys, 1, (columns,)) < self.share
        swapped &= random.chosen(keys, 0, self.p)[:, None]
        # A donor for each value on its own: columns of one row come from different rows.
        # The product may round up to the number of rows.
        donor = (random.uniform(keys, 2, (columns,)) * rows).long().clamp_(max=rows - 1)
        return batch.with_x(torch.where(swapped, batch.x.gather(0, donor), batch.x))
