"""Residual network for small images, after He et al. (2016), section 4.2."""

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive


class Block(nn.Module):
    """Two 3x3 convolutions around which the input is added; a 1x1 convolution fits it where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs, H, W]`` to ``[B, outputs, ceil(H / stride), ceil(W / stride)]``."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """A convolution, three groups of residual blocks that halve the image and double the maps, and a mean.

    Args:
        input_shape: channels, height and width.
        outputs: number of logits.
        depth: layers with weights, 6n + 2: 8, 14, 20, 32, 44, 56, ...
        width: feature maps of the first group.
        dropout: share of the last features set to zero while training.

    Raises:
        ValueError: the depth is not 6n + 2, or the image smaller than 4x4.
    """

    takes = "image"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        *,
        depth: Annotated[int, Ge(8)] = 20,
        width: Annotated[int, Gt(0)] = 16,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        check_positive(outputs=outputs, width=width)
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth must be 6n + 2 (8, 14, 20, 32, 44, 56, ...), not {depth}")
        channels, height, columns = input_shape
        if min(height, columns) < 4:
            raise ValueError(f"a {height}x{columns} image is too small: it is halved twice, so it needs 4x4 pixels")
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.blocks = nn.Sequential(*_blocks(count=(depth - 2) // 6, width=width))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * width, outputs))
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]`` to logits ``[B, outputs]``."""
        logits: Tensor = self.head(self.blocks(self.stem(x)).mean((2, 3)))
        return logits


def _blocks(count: int, width: int) -> list[Block]:
    """Return the blocks of the three groups; the first of the later groups halves the image."""
    blocks, previous = [], width
    for group in range(3):
        maps = width * 2**group
        for number in range(count):
            blocks.append(Block(previous, maps, stride=2 if group > 0 and number == 0 else 1))
            previous = maps
    return blocks


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Block):
            # A block starts as its shortcut, so a deep network starts as a shallow one.
            nn.init.zeros_(module.body.get_submodule("4").get_parameter("weight"))
