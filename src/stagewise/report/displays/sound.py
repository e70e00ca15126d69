"""Recordings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.data.features.sound_entry import SoundEntry
from stagewise.data.features.sound_sheet import draw_recording
from stagewise.data.schema import DataSchema


class SoundDisplay:
    """The waveform above the spectrogram that the network sees."""

    draws = True

    def __init__(self, schema: DataSchema) -> None:
        self._entry = schema.feature.narrow(SoundEntry)

    def text(self, row: NDArray[Any]) -> str:  # noqa: ARG002
        """Nothing: the picture says it."""
        return ""

    def picture(self, row: NDArray[Any]) -> NDArray[np.uint8]:
        """A picture of a row ``(T,)``, RGB."""
        return np.asarray(draw_recording(self._entry, row).convert("RGB"))
