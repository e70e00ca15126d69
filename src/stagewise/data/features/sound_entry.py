"""What schema.json says of recordings, typed."""

from typing import Literal

from stagewise.data.features.log_mel import LogMel
from stagewise.data.schema import Feature


class SoundEntry(Feature):
    """A recording of fixed length, how raw recordings become one, and the spectrogram that the network sees.

    The spectrogram is standardised by statistics that were fitted on the training split only.
    """

    name: str = "sound"
    kind: str = "sound"
    dtype: Literal["int16"] = "int16"
    shape: tuple[int]
    """(samples,)."""
    layout: Literal["samples"] = "samples"
    unit: str = "1/32768 of full scale"
    minimum: float | None = -32768
    maximum: float | None = 32767
    rate: int
    """Samples per second."""
    seconds: float
    trim_db: float | None
    """Silence at both ends goes: what is this much below the loudest 10 ms."""
    align: Literal["centre", "start"]
    """Where a short recording lies in its row, and which part of a long one is kept."""
    normalize: Literal["peak", "rms"] | None
    level_db: float
    """Level that ``normalize`` brings recordings to, in dB of full scale."""
    mels: int
    window: int
    """Samples under the window of one frame."""
    hop: int
    """Samples from one frame to the next."""
    fmin: float
    fmax: float
    floor_db: float
    """Power below which nothing is told apart."""
    mean: list[float]
    """Per mel band, of log(1 + power / floor) over all frames, padding included."""
    std: list[float]
    """Per mel band; 1 where a band hardly varies."""

    def log_mel(self) -> LogMel:
        """The spectrogram, before it is standardised."""
        return LogMel(
            rate=self.rate,
            length=self.shape[0],
            window=self.window,
            hop=self.hop,
            mels=self.mels,
            fmin=self.fmin,
            fmax=self.fmax,
            floor_db=self.floor_db,
        )
