"""Transformer over the columns of a table, after Gorishniy et al. (2021)."""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive
from stagewise.models.table_embeddings import Categories, Numbers, check_table
from stagewise.models.transformer import Attention


class ReGLU(nn.Module):
    """Half of the last axis, gated by the ReLU of the other half."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., 2 n]`` to ``[..., n]``."""
        value, gate = x.chunk(2, -1)
        return value * torch.relu(gate)


class Layer(nn.Module):
    """Attention between the columns and a gated perceptron, each normalised before and added to its input.

    The first layer has no normalisation before its attention: the vectors of the columns enter it as they are.
    """

    def __init__(
        self, dim: int, heads: int, hidden: int, attention_dropout: float, dropout: float, first: bool
    ) -> None:
        super().__init__()
        self.norm = nn.Identity() if first else nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, attention_dropout)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 2 * hidden), ReGLU(), nn.Dropout(dropout), nn.Linear(hidden, dim)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, tokens, dim]`` to the same shape."""
        x = x + self.attention(self.norm(x))
        y: Tensor = x + self.mlp(x)
        return y


class FTTransformer(nn.Module):
    """Every column becomes a token, transformer layers let them look at each other, a class token gives the answer.

    Args:
        input_shape: (numbers, codes of the first category column, of the second, ...).
        outputs: number of logits, or of predicted numbers.
        dim: width of a token, a multiple of ``heads``.
        depth: number of layers.
        heads: attention heads per layer.
        mlp_ratio: width of the perceptron's hidden layer, in multiples of ``dim``.
        attention_dropout: share of attention weights set to zero while training.
        dropout: share of the perceptron's hidden values set to zero while training.
        numbers: how numbers become tokens: ``linear`` is the paper's, ``periodic`` as in Gorishniy et al. (2022).
        frequencies: sines and cosines per number; for ``periodic``.
        sigma: their standard deviation at the start; for ``periodic``.

    Raises:
        ValueError: there is no column, ``dim`` is no multiple of ``heads``, or a size is out of range.
    """

    takes = "table"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        dim: Annotated[int, Gt(0)] = 64,
        depth: Annotated[int, Gt(0)] = 3,
        heads: Annotated[int, Gt(0)] = 8,
        mlp_ratio: Annotated[float, Gt(0)] = 4 / 3,
        attention_dropout: Annotated[float, Ge(0), Lt(1)] = 0.2,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
        numbers: Literal["linear", "periodic"] = "linear",
        frequencies: Annotated[int, Gt(0)] = 16,
        sigma: Annotated[float, Gt(0)] = 0.1,
    ) -> None:
        super().__init__()
        check_table(input_shape)
        check_positive(outputs=outputs, dim=dim, depth=depth, heads=heads)
        _check(dim, heads, mlp_ratio, attention_dropout)
        self.count, codes = input_shape[0], tuple(input_shape[1:])
        bound = dim**-0.5
        self.numbers = Numbers(self.count, dim, numbers, frequencies, sigma, relu=False) if self.count else None
        self.categories = Categories(codes, dim, bound) if codes else None
        self.bias = nn.Parameter(torch.empty(len(codes), dim).uniform_(-bound, bound))
        self.cls = nn.Parameter(torch.empty(1, 1, dim).uniform_(-bound, bound))
        hidden = int(dim * mlp_ratio)
        self.layers = nn.Sequential(
            *(Layer(dim, heads, hidden, attention_dropout, dropout, first=number == 0) for number in range(depth))
        )
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.ReLU(), nn.Linear(dim, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map rows ``[B, numbers + categories]`` to ``[B, outputs]``."""
        tokens = [self.cls.expand(x.shape[0], -1, -1)]
        if self.numbers is not None:
            tokens.append(self.numbers(x[:, : self.count]))
        if self.categories is not None:
            tokens.append(self.categories(x[:, self.count :]) + self.bias)
        seen = self.layers(torch.cat(tokens, 1))
        answers: Tensor = self.head(seen[:, 0])
        return answers


def _check(dim: int, heads: int, mlp_ratio: float, attention_dropout: float) -> None:
    if dim % heads:
        raise ValueError(f"dim ({dim}) must be a multiple of heads ({heads})")
    if int(dim * mlp_ratio) < 1:
        raise ValueError(f"mlp_ratio ({mlp_ratio}) leaves the perceptron no hidden unit")
    if not 0 <= attention_dropout < 1:
        raise ValueError(f"attention_dropout must be a share below 1, not {attention_dropout}")
