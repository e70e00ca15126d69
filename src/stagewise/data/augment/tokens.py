"""What the transforms of tokens share: which tokens may change, and in which rows."""

from torch import Tensor

from stagewise.data.augment import random

PAD, UNK, MASK, CLS = range(4)
"""The numbers of the special tokens, the same in every tokeniser: padding, unknown, masked out, beginning."""


def words(x: Tensor) -> Tensor:
    """Return bool ``[B, L]``: which tokens stand for text, unknown words too; the others are never touched."""
    return (x == UNK) | (x > CLS)


def drawn(x: Tensor, keys: Tensor, share: float, p: float) -> Tensor:
    """Draw bool ``[B, L]``: of a share ``p`` of the rows, the given share of the words.

    Uses streams 0 and 1 of the keys. Each place has a draw of its own, however far the rows are padded.
    """
    places = random.uniform(keys, 1, (x.shape[1],)) < share
    return places & words(x) & random.chosen(keys, 0, p).unsqueeze(1)
