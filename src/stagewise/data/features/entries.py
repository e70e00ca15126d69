"""What schema.json says of images, typed."""

from typing import Literal

from stagewise.data.schema import Feature


class ImageEntry(Feature):
    """An image, and its normalisation, fitted on the training split only."""

    name: str = "image"
    kind: str = "image"
    dtype: Literal["uint8"] = "uint8"
    shape: tuple[int, int, int]
    """(H, W, C)."""
    layout: Literal["HWC"] = "HWC"
    unit: str = "intensity"
    minimum: float | None = 0
    maximum: float | None = 255
    resize: str
    """Filter that brings raw images to this shape (``stagewise.runtime.image.FILTERS``)."""
    mean: list[float]
    """Per channel, of value / 255."""
    std: list[float]
    """Per channel, of value / 255; 1 where a channel does not vary."""
