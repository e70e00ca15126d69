"""Transformer encoder over words, normalised before each part (Vaswani et al., 2017; Xiong et al., 2020)."""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from torch.nn import functional

from stagewise.models.layers import check_positive
from stagewise.models.tokens import CLS, TokenEmbedding, masked_mean, present, token_shape
from stagewise.models.transformer import Layer

_UNSEEN = -1e4
"""Added to the scores of padding: their weights become exactly 0, in 16 bits too, and no infinity enters the graph."""


class Positions(nn.Module):
    """A vector per place in the row, ``[1, L, dim]``: learned, or sines and cosines of falling frequency."""

    frequencies: Tensor

    def __init__(self, kind: str, length: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(length, dim)) if kind == "learned" else None
        if self.table is not None:
            nn.init.normal_(self.table, std=0.02)
        octaves = torch.arange((dim + 1) // 2) * (2 * math.log(1e4) / dim)
        self.register_buffer("frequencies", torch.exp(-octaves), persistent=False)
        self.dim = dim

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the vectors of as many places as ``tokens`` ``[N, L]`` has."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        if self.table is None:
            angles = places.unsqueeze(1) * self.frequencies
            return torch.cat([angles.sin(), angles.cos()], 1)[:, : self.dim].unsqueeze(0)
        # Padding may reach beyond the longest row; a slice instead of a look-up would forbid it in the exported graph.
        return functional.embedding(places.clamp(max=self.table.shape[0] - 1), self.table).unsqueeze(0)


class TextTransformer(nn.Module):
    """Words with their positions, transformer layers in which each word sees all others, and a linear head.

    Args:
        input_shape: length of the longest row, number of different tokens.
        outputs: number of logits.
        dim: width of a token, a multiple of ``heads``.
        depth: number of layers.
        heads: attention heads per layer.
        mlp_ratio: width of the perceptron's hidden layer, in multiples of ``dim``.
        positions: ``learned``, or ``sinusoidal`` (no weights, and rows may be longer than any in training).
        pool: what the head reads: the ``mean`` of the words, or a [CLS] token put before them (``cls``).
        embedding_dropout: share of the tokens' values set to zero while training.
        dropout: share of attention weights and layer outputs set to zero while training.

    Raises:
        ValueError: ``dim`` is no multiple of ``heads``, a size out of range, a word unknown, or the input no tokens.
    """

    takes = "tokens"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        dim: Annotated[int, Gt(0)] = 128,
        depth: Annotated[int, Gt(0)] = 2,
        heads: Annotated[int, Gt(0)] = 4,
        mlp_ratio: Annotated[float, Gt(0)] = 2.0,
        positions: Literal["learned", "sinusoidal"] = "learned",
        pool: Literal["mean", "cls"] = "mean",
        embedding_dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, dim=dim, depth=depth, heads=heads)
        _check(dim, heads, mlp_ratio, positions, pool)
        length, vocabulary = token_shape(input_shape)
        self.pool = pool
        self.embedding = TokenEmbedding(vocabulary, dim)
        self.positions = Positions(positions, length + (pool == "cls"), dim)
        self.dropout = nn.Dropout(embedding_dropout)
        self.layers = nn.ModuleList(Layer(dim, heads, mlp_ratio, dropout) for _ in range(depth))
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, outputs))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        # The head's input is normalised: larger weights would begin with answers that are sure of themselves.
        nn.init.normal_(self.head.get_submodule("1").get_parameter("weight"), std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map int64 ``[N, L]`` to logits ``[N, outputs]``."""
        if self.pool == "cls":
            tokens = torch.cat([torch.full_like(tokens[:, :1], CLS), tokens], 1)
        mask = present(tokens)
        x = self.dropout(self.embedding(tokens) + self.positions(tokens))
        scores = ((~mask).to(x.dtype) * _UNSEEN)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, scores)
        logits: Tensor = self.head(masked_mean(x, mask) if self.pool == "mean" else x[:, 0])
        return logits


def _check(dim: int, heads: int, mlp_ratio: float, positions: str, pool: str) -> None:
    if dim % heads:
        raise ValueError(f"dim ({dim}) must be a multiple of heads ({heads})")
    if int(dim * mlp_ratio) < 1:
        raise ValueError(f"mlp_ratio ({mlp_ratio}) leaves the perceptron no hidden unit")
    if positions not in ("learned", "sinusoidal"):
        raise ValueError(f"positions must be learned or sinusoidal, not {positions!r}")
    if pool not in ("mean", "cls"):
        raise ValueError(f"pool must be mean or cls, not {pool!r}")
