"""Convolutions of several widths over words and the maximum over time, after Kim (2014)."""

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torch.nn import functional

from stagewise.models.layers import check_positive
from stagewise.models.tokens import TokenEmbedding, lengths, token_shape


class TextCNN(nn.Module):
    """Filters that look at several neighbouring words, the strongest answer of each, and a linear head.

    Args:
        input_shape: length of the longest row, number of different tokens.
        outputs: number of logits.
        dim: length of a token's vector.
        widths: words that a filter looks at, one group of filters for each.
        filters: filters per width.
        embedding_dropout: share of the vectors' values set to zero while training.
        dropout: share of the strongest answers set to zero while training.

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
        dim: Annotated[int, Gt(0)] = 128,
        widths: Sequence[Annotated[int, Gt(0)]] = (3, 4, 5),
        filters: Annotated[int, Gt(0)] = 100,
        embedding_dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.5,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, dim=dim, filters=filters)
        check_positive(**{f"widths[{number}]": width for number, width in enumerate(widths)})
        if not widths:
            raise ValueError("widths is empty: there is nothing to look at the words with")
        _, vocabulary = token_shape(input_shape)
        self.embedding = TokenEmbedding(vocabulary, dim, embedding_dropout)
        self.convolutions = nn.ModuleList(nn.Conv1d(dim, filters, width) for width in widths)
        self.widths = tuple(widths)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(filters * len(widths), outputs))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map int64 ``[N, L]`` to logits ``[N, outputs]``."""
        vectors, length = self.embedding(tokens).transpose(1, 2), lengths(tokens)
        found = [
            _strongest(convolution, vectors, length, width)
            for convolution, width in zip(self.convolutions, self.widths, strict=True)
        ]
        logits: Tensor = self.head(torch.cat(found, 1))
        return logits


def _strongest(convolution: nn.Module, vectors: Tensor, length: Tensor, width: int) -> Tensor:
    """Return the largest positive answer per filter, ``[N, filters]``, over the windows that touch the row.

    Windows reach over both ends, so rows shorter than ``width`` have some; those that lie in the padding altogether
    answer 0, which is no more than what any other answers.
    """
    answers = torch.relu(convolution(functional.pad(vectors, (width - 1, width - 1))))
    begins = torch.arange(answers.shape[2], device=answers.device)
    touching = begins < (length + width - 1).unsqueeze(1)
    return (answers * touching.unsqueeze(1).to(answers.dtype)).amax(2)
