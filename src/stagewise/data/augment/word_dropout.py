"""Hide words."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le
from torch import Tensor

from stagewise.data.augment.batch import Batch, check_shares
from stagewise.data.augment.tokens import MASK, UNK, drawn

_FILLS = {"mask": MASK, "unk": UNK}


@dataclass(frozen=True)
class WordDropout:
    """Replace words of a row by the token for hidden or for unknown words, each independently (Iyyer et al., 2015).

    Args:
        share: probability of each word of a changed row.
        fill: ``mask`` hides words behind a token of their own; ``unk`` behind the one of unknown words, which so
            gets a meaning even where every training word is known.
        p: share of rows that are changed.

    Raises:
        ValueError: ``share`` or ``p`` does not lie in [0, 1], or ``fill`` is another word.
    """

    share: Annotated[float, Ge(0), Le(1)] = 0.1
    fill: Literal["mask", "unk"] = "mask"
    p: Annotated[float, Ge(0), Le(1)] = 1.0

    takes = "tokens"

    def __post_init__(self) -> None:
        check_shares(share=self.share, p=self.p)
        if self.fill not in _FILLS:
            raise ValueError(f"fill must be mask or unk, not {self.fill!r}")

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the batch with words hidden."""
        return batch.with_x(batch.x.masked_fill(drawn(batch.x, keys, self.share, self.p), _FILLS[self.fill]))
