"""Parts that the networks for token sequences share: rows of token numbers, padded with zeros at their end."""

import math
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn

PAD, UNK, MASK, CLS = range(4)
"""The numbers of the special tokens, the same in every tokeniser: padding, unknown, masked out, beginning."""


def token_shape(input_shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (length of the longest row, number of different tokens).

    Raises:
        ValueError: this is the shape of another kind of input, or there is no token beside the special ones.
    """
    if len(input_shape) != 2:
        raise ValueError(f"a network for tokens takes (longest row, vocabulary), not inputs of {input_shape}")
    length, vocabulary = input_shape
    if length < 1 or vocabulary <= CLS:
        raise ValueError(f"rows of {length} tokens out of {vocabulary} hold nothing (special tokens are 0 to {CLS})")
    return length, vocabulary


def present(tokens: Tensor) -> Tensor:
    """Return bool ``[N, L]``: where there is a token and no padding."""
    return tokens != PAD


def lengths(tokens: Tensor) -> Tensor:
    """Return int64 ``[N]``: how many places it takes to hold each row of ``[N, L]``, padding not counted."""
    places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    return (places * present(tokens)).amax(1)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``[N, L, D]`` over the places of ``mask`` ``[N, L]``; zeros for a row without any."""
    weight = mask.to(x.dtype).unsqueeze(2)
    return (x * weight).sum(1) / weight.sum(1).clamp(min=1)


def masked_max(x: Tensor, mask: Tensor) -> Tensor:
    """Return the maximum of ``[N, L, D]`` over the places of ``mask`` ``[N, L]``; zeros for a row without any."""
    inside = mask.unsqueeze(2)
    # Finite, since the calibration of quantised graphs cannot do with infinities.
    largest = torch.where(inside, x, torch.full_like(x, -1e4)).amax(1)
    return torch.where(inside.any(1), largest, torch.zeros_like(largest))


class TokenEmbedding(nn.Module):
    """A vector per token, zero for padding, with dropout.

    Args:
        vocabulary: number of different tokens.
        dim: length of a vector.
        dropout: share of the values set to zero while training.
    """

    def __init__(self, vocabulary: int, dim: int, dropout: Annotated[float, Ge(0), Lt(1)] = 0.0) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, dim, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.table.weight, std=1 / math.sqrt(dim))
        nn.init.zeros_(self.table.weight.detach()[PAD])

    def forward(self, tokens: Tensor) -> Tensor:
        """Map int64 ``[N, L]`` to ``[N, L, dim]``."""
        vectors: Tensor = self.dropout(self.table(tokens))
        return vectors
