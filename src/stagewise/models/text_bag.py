"""The mean of word vectors, with word pairs by hashing: the fast baseline of Joulin et al. (2017), "fastText"."""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive
from stagewise.models.tokens import TokenEmbedding, masked_mean, present, token_shape

_FACTOR = 0x2545F491
"""Odd, so that it is invertible modulo any power of two; a token number below 2**31 times it fits int64."""


class TextBag(nn.Module):
    """Mean of the vectors of all tokens (and of all pairs of neighbours), then dense layers; blind to further order.

    Args:
        input_shape: length of the longest row, number of different tokens.
        outputs: number of logits.
        dim: length of a token's vector.
        bigrams: rows of the table into which pairs of neighbours are hashed; 0 leaves pairs out.
        hidden: width of each dense layer between mean and output (Iyyer et al., 2015); none makes it a linear model.
        embedding_dropout: share of the vectors' values set to zero while training.
        dropout: share of the mean's and of each dense layer's values set to zero while training.

    Raises:
        ValueError: a size is out of range, or the input no rows of tokens.
    """

    takes = "tokens"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        dim: Annotated[int, Gt(0)] = 64,
        bigrams: Annotated[int, Ge(0)] = 0,
        hidden: Sequence[Annotated[int, Gt(0)]] = (),
        embedding_dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, dim=dim, **{f"hidden[{number}]": width for number, width in enumerate(hidden)})
        if bigrams < 0:
            raise ValueError(f"bigrams is the size of a table, not {bigrams}")
        _, vocabulary = token_shape(input_shape)
        self.embedding = TokenEmbedding(vocabulary, dim, embedding_dropout)
        # Row 0 is for pairs with padding, as in the table of tokens.
        self.pairs = TokenEmbedding(bigrams + 1, dim, embedding_dropout) if bigrams else None
        self.buckets = bigrams
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        previous = dim
        for width in hidden:
            layers += [nn.Linear(previous, width), nn.ReLU(), nn.Dropout(dropout)]
            previous = width
        self.head = nn.Sequential(*layers, nn.Linear(previous, outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map int64 ``[N, L]`` to logits ``[N, outputs]``."""
        vectors, mask = self.embedding(tokens), present(tokens)
        if self.pairs is not None:
            pairs = self._hash(tokens)
            vectors = torch.cat([vectors, self.pairs(pairs)], 1)
            mask = torch.cat([mask, present(pairs)], 1)
        logits: Tensor = self.head(masked_mean(vectors, mask))
        return logits

    def _hash(self, tokens: Tensor) -> Tensor:
        """Return the table rows of each token's pair with its successor, 0 where there is none."""
        # A row of one token has a successor too: padding.
        following = torch.cat([tokens[:, 1:], torch.zeros_like(tokens[:, :1])], 1)
        rows = (tokens * _FACTOR + following) % self.buckets + 1
        return rows * (present(tokens) & present(following))
