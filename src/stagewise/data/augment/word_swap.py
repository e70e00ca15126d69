"""Swap neighbouring words."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares
from stagewise.data.augment.tokens import words


@dataclass(frozen=True)
class WordSwap:
    """Exchange words of a row with their neighbours; no word moves by more than one place.

    A row is divided into pairs, beginning with its first or its second token by the toss of a coin.

    Args:
        share: probability of each pair of a changed row.
        p: share of rows that are changed.

    Raises:
        ValueError: ``share`` or ``p`` does not lie in [0, 1].
    """

    share: Annotated[float, Ge(0), Le(1)] = 0.1
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "tokens"

    def __post_init__(self) -> None:
        check_shares(share=self.share, p=self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with words swapped."""
        x, size = batch.x, batch.x.shape[1]
        places = torch.arange(size, device=x.device)
        first = random.chosen(keys, 2, 0.5).to(torch.int64).unsqueeze(1)
        partner = torch.where((places - first) % 2 == 0, places + 1, places - 1)
        inside = (partner >= 0) & (partner < size)
        partner = partner.clamp(0, size - 1)
        # Both of a pair go by the draw of its first place.
        draws = random.uniform(keys, 1, (size,)).gather(1, torch.minimum(partner, places))
        text = words(x)
        swapped = inside & text & text.gather(1, partner) & (draws < self.share)
        swapped &= random.chosen(keys, 0, self.p).unsqueeze(1)
        return batch.with_x(x.gather(1, torch.where(swapped, partner, places)))
