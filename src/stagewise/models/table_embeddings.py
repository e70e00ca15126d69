"""How the columns of a table become vectors: what the networks for tables share.

A table reaches a network as float ``[B, numbers + categories]``: standardised numbers (and 0/1 columns that say where
one was missing), then a code from 0 for every category column. Its ``input_shape`` is (numbers, K1, K2, ...): how many
numbers there are, and how many codes each category column has.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from stagewise.models.layers import check_positive

NumberEmbedding = Literal["none", "linear", "periodic"]
"""How one number becomes a vector."""


def check_table(input_shape: tuple[int, ...]) -> None:
    """Raise ValueError unless ``input_shape`` is (numbers, K1, K2, ...) of a table with at least one column."""
    if not input_shape or input_shape[0] < 0 or input_shape == (0,):
        raise ValueError(f"a table has columns: (how many numbers, codes per category column ...), not {input_shape}")
    check_positive(**{f"codes of category column {n}": codes for n, codes in enumerate(input_shape[1:], start=1)})


class Numbers(nn.Module):
    """Numbers ``[B, n]`` to vectors ``[B, n, width]``, every column with weights of its own.

    After Gorishniy et al. (2022), "On embeddings for numerical features in tabular deep learning": ``linear`` is a
    line and a ReLU per value, ``periodic`` first spreads the number over sines and cosines of learned frequencies,
    which lets a network follow steps that a line cannot.

    Args:
        count: how many numbers.
        width: length of a vector.
        kind: ``linear`` or ``periodic``.
        frequencies: pairs of sine and cosine per number.
        sigma: standard deviation of the frequencies at the start; larger follows finer steps.
        relu: whether a ReLU ends it; without one ``linear`` is the tokeniser of the FT-Transformer.
    """

    def __init__(
        self, count: int, width: int, kind: NumberEmbedding, frequencies: int, sigma: float, *, relu: bool = True
    ) -> None:
        super().__init__()
        check_positive(width=width, frequencies=frequencies)
        if kind not in ("linear", "periodic"):
            raise ValueError(f"numbers must be none, linear or periodic, not {kind!r}")
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, not {sigma}")
        self.relu = relu
        inner = 2 * frequencies if kind == "periodic" else 1
        self.frequencies = nn.Parameter(torch.empty(count, frequencies)) if kind == "periodic" else None
        self.weight = nn.Parameter(torch.empty(count, inner, width))
        self.bias = nn.Parameter(torch.empty(count, width))
        if self.frequencies is not None:
            nn.init.normal_(self.frequencies, std=sigma)
        bound = inner**-0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, n]`` to ``[B, n, width]``."""
        if self.frequencies is None:
            vectors = x[..., None] * self.weight[:, 0] + self.bias
        else:
            angles = 2 * math.pi * self.frequencies * x[..., None]
            waves = torch.cat([angles.sin(), angles.cos()], 2)
            # Column by column, since int8 kernels take no batch of matrices as weights.
            products = [wave @ weight for wave, weight in zip(waves.unbind(1), self.weight.unbind(0), strict=True)]
            vectors = torch.stack(products, 1) + self.bias
        return torch.relu(vectors) if self.relu else vectors


class Categories(nn.Module):
    """Codes ``[B, c]`` to vectors ``[B, c, width]``, one learned vector per code of every column.

    Args:
        codes: how many codes each column has.
        width: length of a vector.
        bound: vectors start uniform in [-bound, bound].
    """

    starts: Tensor

    def __init__(self, codes: tuple[int, ...], width: int, bound: float) -> None:
        super().__init__()
        check_positive(width=width)
        # One table for all columns: each one's codes begin where those of the column before end.
        starts = [sum(codes[:number]) for number in range(len(codes))]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.vectors = nn.Embedding(sum(codes), width)
        nn.init.uniform_(self.vectors.weight, -bound, bound)

    def forward(self, codes: Tensor) -> Tensor:
        """Map codes, whole numbers of any dtype, ``[B, c]`` to ``[B, c, width]``."""
        vectors: Tensor = self.vectors(codes.long() + self.starts)
        return vectors
