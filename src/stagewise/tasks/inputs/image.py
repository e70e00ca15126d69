"""Images: uint8 pixels to normalised channels."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stagewise.data.features.entries import ImageEntry
from stagewise.data.schema import DataSchema

_NOISE = 4


class ImageInputs(nn.Module):
    """Scales pixels to [0, 1], then centres and scales channels by the statistics of the training split.

    Attributes:
        network_shape: (C, H, W).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        entry = schema.feature.narrow(ImageEntry)
        height, width, channels = self._shape = entry.shape
        self.network_shape: tuple[int, ...] = (channels, height, width)
        self.register_buffer("mean", torch.tensor(entry.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(entry.std).view(-1, 1, 1))

    def decode(self, raw: Tensor) -> Tensor:
        """Turn uint8 ``[N, H, W, C]`` into float ``[N, C, H, W]`` in [0, 1], channels-last in memory."""
        return raw.permute(0, 3, 1, 2).float().div(255)

    def forward(self, x: Tensor) -> Tensor:
        """Centre and scale float ``[N, C, H, W]`` in [0, 1]; the result has the dtype of the network's weights."""
        return ((x - self.mean) / self.std).to(self.mean.dtype)

    def example(self) -> tuple[Tensor, dict[int, str]]:
        """Two black images, and the axes of the exported graph that are free."""
        return torch.zeros((2, *self._shape), dtype=torch.uint8), {0: "batch"}

    def hostile(self, generator: np.random.Generator) -> dict[str, NDArray[np.uint8]]:
        """Images at the edges of the range, and noise: uint8 ``(H, W, C)`` each."""
        height, width = self._shape[:2]
        whole = np.ones(self._shape)
        rows = {
            "all 0": 0 * whole,
            "all 255": 255 * whole,
            "all 128": 128 * whole,
            "one white value": 255 * (np.arange(whole.size).reshape(self._shape) == 0),
            "left half white": 255 * (np.arange(width) * 2 < width)[:, None] * whole,
            "chequers": 255 * (np.indices((height, width)).sum(0) % 2)[..., None] * whole,
        }
        rows |= {f"noise {k}": generator.integers(0, 256, self._shape) for k in range(_NOISE)}
        return {name: row.astype(np.uint8) for name, row in rows.items()}
