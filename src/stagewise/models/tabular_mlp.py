"""Multilayer perceptron for tables, with embeddings of categories and numbers."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import activation as make_activation
from stagewise.models.layers import check_positive
from stagewise.models.table_embeddings import Categories, Numbers, check_table


class Residual(nn.Module):
    """A normalised layer of the width of its input, added to it; after the ResNet of Gorishniy et al. (2021)."""

    def __init__(self, width: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            make_activation(activation),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, width]`` to the same shape."""
        y: Tensor = x + self.body(x)
        return y


class TabularMLP(nn.Module):
    """Dense layers on the numbers of a row and learned vectors of its categories.

    With ``numbers: periodic`` it is the MLP-PLR of Gorishniy et al. (2022).

    Args:
        input_shape: (numbers, codes of the first category column, of the second, ...).
        outputs: number of logits, or of predicted numbers.
        hidden: width of each hidden layer; none makes it a linear model of the vectors.
        residual: whether a layer that keeps the width of the one before is a block of two, added to its input.
        dropout: share of each hidden layer's values set to zero while training.
        activation: relu, gelu, silu or tanh.
        numbers: how numbers enter: ``none`` (as they are), ``linear`` or ``periodic`` vectors.
        number_width: length of a number's vector.
        frequencies: sines and cosines per number; for ``periodic``.
        sigma: their standard deviation at the start; for ``periodic``.
        category_width: length of a category's vector.

    Raises:
        ValueError: there is no column, a size is out of range, or a word is unknown.
    """

    takes = "table"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        hidden: Sequence[Annotated[int, Gt(0)]] = (256, 256),
        residual: bool = False,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
        activation: Literal["relu", "gelu", "silu", "tanh"] = "relu",
        numbers: Literal["none", "linear", "periodic"] = "periodic",
        number_width: Annotated[int, Gt(0)] = 16,
        frequencies: Annotated[int, Gt(0)] = 16,
        sigma: Annotated[float, Gt(0)] = 0.1,
        category_width: Annotated[int, Gt(0)] = 8,
    ) -> None:
        super().__init__()
        check_table(input_shape)
        check_positive(outputs=outputs, **{f"hidden[{number}]": width for number, width in enumerate(hidden)})
        self.count, codes = input_shape[0], tuple(input_shape[1:])
        self.numbers: nn.Module | None = None
        if self.count and numbers != "none":
            self.numbers = Numbers(self.count, number_width, numbers, frequencies, sigma)
        self.categories = Categories(codes, category_width, bound=3**0.5) if codes else None
        width = self.count * (1 if self.numbers is None else number_width) + len(codes) * category_width
        layers: list[nn.Module] = []
        for size in hidden:
            if residual and layers and size == width:
                layers.append(Residual(width, activation, dropout))
            else:
                layers += [nn.Linear(width, size), make_activation(activation), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map rows ``[B, numbers + categories]`` to ``[B, outputs]``."""
        parts = []
        if self.count:
            parts.append(x[:, : self.count] if self.numbers is None else self.numbers(x[:, : self.count]).flatten(1))
        if self.categories is not None:
            parts.append(self.categories(x[:, self.count :]).flatten(1))
        answers: Tensor = self.layers(torch.cat(parts, 1))
        return answers
