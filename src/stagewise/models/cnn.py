"""Convolutional network: the two-convolution network of the MNIST tutorials, with its sizes as arguments."""

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import activation as make_activation
from stagewise.models.layers import check_positive

MONOTONE = ("relu", "tanh")
"""Activations that never fall as their input grows."""


class CNN(nn.Module):
    """Blocks of convolution, activation and 2x2 max-pooling, then one hidden dense layer.

    Args:
        input_shape: channels, height and width.
        outputs: number of logits.
        channels: feature maps of each block; every block halves height and width.
        hidden: width of the dense layer.
        kernel: side of the convolutions in pixels.
        padding: zeros around each convolution's input; ``kernel // 2`` keeps the size, 0 shrinks it.
        batch_norm: normalise after each convolution; converges in fewer epochs, costs time per epoch.
        dropout: share of the dense layer's input and output set to zero while training.
        activation: relu, gelu, silu or tanh.

    Raises:
        ValueError: the image is too small for the blocks, a size is out of range, or the activation unknown.
    """

    takes = "image"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        *,
        channels: Sequence[Annotated[int, Gt(0)]] = (32, 64),
        hidden: Annotated[int, Gt(0)] = 128,
        kernel: Annotated[int, Gt(0)] = 3,
        padding: Annotated[int, Ge(0)] = 1,
        batch_norm: bool = False,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        activation: Literal["relu", "gelu", "silu", "tanh"] = "relu",
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, hidden=hidden, kernel=kernel)
        check_positive(**{f"channels[{number}]": width for number, width in enumerate(channels)})
        previous, height, width = input_shape
        blocks: list[nn.Module] = []
        for maps in channels:
            height, width = (_pooled(size, kernel, padding, input_shape) for size in (height, width))
            blocks.append(nn.Conv2d(previous, maps, kernel, padding=padding, bias=not batch_norm))
            blocks += [nn.BatchNorm2d(maps)] if batch_norm else []
            block = [make_activation(activation), nn.MaxPool2d(2)]
            # Pooling first gives the same result where the activation is monotone, from a quarter of the work.
            blocks += reversed(block) if activation in MONOTONE else block
            previous = maps
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(previous * height * width, hidden),
            make_activation(activation),
            nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]`` to logits ``[B, outputs]``."""
        logits: Tensor = self.head(self.features(x))
        return logits


def _pooled(size: int, kernel: int, padding: int, input_shape: tuple[int, int, int]) -> int:
    """Return the size after one block."""
    if padding < 0:
        raise ValueError(f"padding must not be negative, but is {padding}")
    pooled = (size + 2 * padding - kernel + 1) // 2
    if pooled < 1:
        _, height, width = input_shape
        raise ValueError(
            f"a {height}x{width} image is too small: nothing is left of it before the last pooling"
            " (use fewer channels entries, more padding, or larger images)"
        )
    return pooled
