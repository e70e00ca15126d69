"""Normalisation statistics from exact integer sums, so that they do not depend on the batch size."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALLEST_STD = 1e-6
_BLOCK = 1 << 20  # values squared at a time: bounds the memory of the wider integers


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation per channel, of value / 255."""

    mean: list[float]
    std: list[float]
    """1 where it would be below ``SMALLEST_STD``: a channel that does not vary is only shifted."""


class ChannelSums:
    """Counts, sums and sums of squares per channel of uint8 values (n, ..., C), as exact integers."""

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._sums = [0] * channels
        self._squares = [0] * channels

    def add(self, values: NDArray[np.uint8]) -> None:
        """Add a batch of values (n, ..., C)."""
        pixels = values.reshape(-1, len(self._sums))
        self._count += len(pixels)
        for begin in range(0, len(pixels), _BLOCK):
            block = pixels[begin : begin + _BLOCK].astype(np.uint32)
            self._sums = _add(self._sums, block.sum(axis=0, dtype=np.uint64))
            self._squares = _add(self._squares, np.square(block).sum(axis=0, dtype=np.uint64))

    def statistics(self) -> Statistics:
        """Mean and population standard deviation of all values so far.

        Raises:
            ValueError: no values were added.
        """
        if not self._count:
            raise ValueError("no values to take statistics of")
        scale = 255 * self._count
        mean = [total / scale for total in self._sums]
        pairs = zip(self._sums, self._squares, strict=True)
        std = [math.sqrt(self._count * square - total**2) / scale for total, square in pairs]
        return Statistics(mean, [value if value >= SMALLEST_STD else 1.0 for value in std])


def _add(totals: list[int], values: NDArray[Any]) -> list[int]:
    return [total + int(value) for total, value in zip(totals, values, strict=True)]
