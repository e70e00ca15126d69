"""One raw row, as a reader yields it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """A raw value with its label, exactly as published.

    What ``value`` is depends on the kind of data, and the feature that encodes it says what it takes: an image is
    uint8, H x W (grey) or H x W x C.
    """

    id: str
    """Stable and relative to data/raw/: ``train/7/img.png``, ``train-images-idx3-ubyte.gz#42``."""
    value: Any
    """None when the row could not be read."""
    label: str | int | float | None
    """A class name, a class number, or the number to predict; None when the row has none."""
    split: str | None = None
    """``train``, ``validation`` or ``test`` when the data was published so."""
    error: str | None = None
    """Why the row could not be read."""
