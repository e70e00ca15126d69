"""Images as fixed-size uint8 arrays."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt, Len
from numpy.typing import NDArray

from stagewise.data.features.pixels import FILTERS, fit
from stagewise.data.schema import Feature
from stagewise.data.statistics import Statistics
from stagewise.errors import ConfigError


class ImageFeature:
    """Stores each image as uint8 (H, W, C).

    Args:
        size: [H, W]; images of another size are resampled (the aspect ratio is not kept).
        channels: 1 (grey) or 3 (RGB).
        resize: a name of ``features.pixels.FILTERS``.

    Raises:
        ConfigError: an argument is none of these.
    """

    kind = "image"
    """The kind of input that this gives; a network says which it ``takes``."""

    def __init__(
        self,
        size: Annotated[Sequence[Annotated[int, Gt(0)]], Len(2, 2)],
        channels: Literal[1, 3] = 1,
        resize: Literal["bilinear", "nearest", "bicubic", "lanczos", "area"] = "bilinear",
    ) -> None:
        where = "data.feature"
        if len(size) != 2 or not all(type(length) is int and length > 0 for length in size):
            raise ConfigError(f"size {list(size)} is not [height, width]", where=f"{where}.size", fix="e.g. [28, 28]")
        if channels not in (1, 3):
            raise ConfigError(f"{channels} channels", where=f"{where}.channels", fix="1 (grey) or 3 (RGB)")
        if resize not in FILTERS:
            raise ConfigError(f"no filter {resize!r}", where=f"{where}.resize", fix=f"one of {', '.join(FILTERS)}")
        self._size = (size[0], size[1])
        self._channels = channels
        self._resize = resize

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every stored array."""
        return (*self._size, self._channels)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """The dtype of every stored array."""
        return np.dtype(np.uint8)

    def encode(self, value: NDArray[Any]) -> NDArray[np.uint8]:
        """Raw pixels (see ``pixels.fit``) to the stored array.

        Raises:
            ValueError: the value is no image; the message says why.
        """
        return fit(value, self._size, self._channels, self._resize)

    def describe(self, statistics: Statistics) -> Feature:
        """The entry of schema.json."""
        return Feature(shape=self.shape, resize=self._resize, mean=statistics.mean, std=statistics.std)
