"""Multilayer perceptron."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import activation as make_activation
from stagewise.models.layers import check_positive


class MLP(nn.Module):
    """Dense layers on the flattened image.

    Args:
        input_shape: channels, height and width.
        outputs: number of logits.
        hidden: width of each hidden layer; none makes it a linear model.
        dropout: share of each hidden layer's values set to zero while training.
        activation: relu, gelu, silu, tanh or sigmoid.

    Raises:
        ValueError: a size is below one, the dropout no share, or the activation unknown.
    """

    takes = "image"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        *,
        hidden: Sequence[Annotated[int, Gt(0)]] = (256, 128),
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        activation: Literal["relu", "gelu", "silu", "tanh", "sigmoid"] = "relu",
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, **{f"hidden[{number}]": width for number, width in enumerate(hidden)})
        layers: list[nn.Module] = [nn.Flatten()]
        previous = math.prod(input_shape)
        for width in hidden:
            layers += [nn.Linear(previous, width), make_activation(activation), nn.Dropout(dropout)]
            previous = width
        self.layers = nn.Sequential(*layers, nn.Linear(previous, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]`` to logits ``[B, outputs]``."""
        logits: Tensor = self.layers(x)
        return logits
