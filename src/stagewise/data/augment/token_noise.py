"""Put words of other rows into a row."""

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares
from stagewise.data.augment.tokens import PAD, drawn, words


@dataclass(frozen=True)
class TokenNoise:
    """Replace words by words of other rows of the batch, so that they are as frequent as in the text.

    The one transform of tokens that looks at other rows: what it puts in depends on the batch.

    Args:
        share: probability of each word of a changed row; where the draw falls on a special token, the word stays.
        p: share of rows that are changed.

    Raises:
        ValueError: ``share`` or ``p`` does not lie in [0, 1].
    """

    share: Annotated[float, Ge(0), Le(1)] = 0.05
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "tokens"

    def __post_init__(self) -> None:
        check_shares(share=self.share, p=self.p)

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with words replaced; a single row stays as it is."""
        rows, size = batch.x.shape
        if rows < 2:
            return batch
        other = _others(keys, size)
        place = random.uniform(keys, 4, (size,)) * _lengths(batch.x)[other]
        found = batch.x[other, place.to(torch.int64).clamp_(max=size - 1)]
        replaced = drawn(batch.x, keys, self.share, self.p) & words(found)
        return batch.with_x(torch.where(replaced, found, batch.x))


def _others(keys: Tensor, size: int) -> Tensor:
    """Draw a row number other than the row's own for each place, int64 ``[B, size]``; the rows' order plays no part."""
    rows = len(keys)
    order = random.derive(keys, 2).argsort(stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(rows, device=keys.device))
    # The product may be rounded up to its bound.
    steps = (random.uniform(keys, 3, (size,)) * (rows - 1)).to(torch.int64).clamp_(max=rows - 2) + 1
    return order[(rank.unsqueeze(1) + steps) % rows]


def _lengths(x: Tensor) -> Tensor:
    """Return int64 ``[B]``: the rows' lengths without padding."""
    places = torch.arange(1, x.shape[1] + 1, device=x.device)
    return (places * (x != PAD)).amax(1)
