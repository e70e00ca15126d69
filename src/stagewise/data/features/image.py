"""Images as fixed-size uint8 arrays."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt, Len
from numpy.typing import NDArray

from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.augmented import Augmenter
from stagewise.data.contact_sheet import write_contact_sheet
from stagewise.data.features.entries import ImageEntry
from stagewise.data.layout import Block, Layout
from stagewise.data.schema import DataSchema
from stagewise.data.statistics import ChannelSums
from stagewise.errors import ConfigError
from stagewise.runtime.image import FILTERS, fit


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
    gives = "image"
    inputs = "stagewise.tasks.inputs.image.ImageInputs"
    display = "stagewise.report.displays.image.ImageDisplay"
    runtime = "stagewise.runtime.image"

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
        self._sums = ChannelSums(channels)
        self._size = (size[0], size[1])
        self._channels = channels
        self._resize = resize

    @property
    def spooled(self) -> Layout:
        """uint8 (H, W, C), as it will be stored."""
        return Layout(np.dtype(np.uint8), (*self._size, self._channels))

    @property
    def stored(self) -> Layout:
        """uint8 (H, W, C)."""
        return self.spooled

    def check(self, value: NDArray[Any]) -> NDArray[np.uint8]:
        """Raw pixels (see the runtime's ``fit``) to the stored array.

        Raises:
            ValueError: the value is no image; the message says why.
        """
        return fit(value, self._size, self._channels, self._resize)

    def fit(self, rows: Iterable[tuple[Block, NDArray[Any]]]) -> None:
        """Take the mean and standard deviation of every channel."""
        for values, _ in rows:
            self._sums.add(np.asarray(values))

    def encode(self, block: Block) -> Block:
        """The rows as they are."""
        return block

    def describe(self) -> ImageEntry:
        """The entry of schema.json."""
        fitted = self._sums.statistics()
        return ImageEntry(shape=(*self._size, self._channels), resize=self._resize, mean=fitted.mean, std=fitted.std)

    def report(self) -> dict[str, Any]:
        """Nothing beyond the checks."""
        return {}

    def preview(self, settings: PreprocessSettings, schema: DataSchema, processed: Path, reports: Path) -> None:
        """Draw contact_sheet.png."""
        section = settings.augment
        augmenter = Augmenter(section, settings.seed, settings.threads) if section.transforms else None
        write_contact_sheet(schema, processed, reports / "contact_sheet.png", augmenter, section.offline_copies)
