"""The log-mel spectrogram: its definition as two matrices, and its values in numpy.

The exported graph (``stagewise.tasks.inputs.sound``) multiplies by the same two matrices.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_ROWS = 32  # at a time: each takes some 200 kB on its way
_FULL = 32768
_LINEAR_HZ, _LINEAR_MELS = 1000.0, 15.0  # where the mel scale turns from linear to logarithmic
_LOG_STEP = math.log(6.4) / 27


@dataclass(frozen=True, slots=True)
class LogMel:
    """log(1 + power / floor) in overlapping frames and mel bands: silence is 0.

    A frame is the power spectrum under a periodic Hann window of sum 1, so that a sine of full scale has a power of
    1/4 in its bin. Frame t lies around the middle of samples t * hop to (t + 1) * hop; beyond the ends is silence.
    Bands are those of M. Slaney's Auditory Toolbox (Technical Report 1998-010, Interval Research): triangles of equal
    area between points that are evenly spaced on a mel scale which is linear below 1 kHz and logarithmic above. A
    triangle's weights sum to about one, so a band holds the mean power of its bins.

    Attributes:
        rate: samples per second.
        length: samples of a row.
        window: samples under the window.
        hop: samples from one frame to the next, at most ``window``.
        mels: number of bands.
        fmin: lowest edge of the lowest band, in Hz.
        fmax: highest edge of the highest band, in Hz, at most half the rate.
        floor_db: power below which nothing is told apart, in dB.
    """

    rate: int
    length: int
    window: int
    hop: int
    mels: int
    fmin: float
    fmax: float
    floor_db: float

    @property
    def frames(self) -> int:
        """Frames of a row; the last may reach beyond its end."""
        return -(-self.length // self.hop)

    @property
    def blocks(self) -> int:
        """Pieces of ``hop`` samples that one window touches."""
        return -(-self.window // self.hop)

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros before and after a row: then frame t begins at sample t * hop and is ``blocks`` * hop long."""
        before = (self.blocks - 1) * self.hop // 2
        return before, (self.frames + self.blocks - 1) * self.hop - before - self.length

    @property
    def fft(self) -> int:
        """Length of the Fourier transform: the power of two that holds the window."""
        return 1 << (self.window - 1).bit_length()

    def matrices(self) -> tuple[Matrix, Matrix]:
        """From samples of full scale 1 to cosine and sine parts, and from their powers to bands in units of the floor.

        Only the K bins that a band hears are computed.

        Returns:
            (blocks * hop, 2 K), cosines first; (K, mels).

        Raises:
            ValueError: a band lies between two bins and hears none.
        """
        bands = self.bands()
        heard = bands.any(axis=1)
        place = np.arange(self.blocks * self.hop)
        taper = np.zeros(len(place))
        begin = (len(place) - self.window) // 2
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        taper[begin : begin + self.window] = hann / hann.sum()
        # Reduced before the cosine, so that large products cost no digits.
        turns = np.outer(place, np.flatnonzero(heard)) % self.fft
        angles = 2 * np.pi / self.fft * turns
        waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
        return taper[:, None] * waves, bands[heard] / 10 ** (self.floor_db / 10)

    def bands(self) -> Matrix:
        """Weights of the triangles, ``(fft // 2 + 1, mels)``.

        Raises:
            ValueError: a band lies between two bins and hears none.
        """
        points = _from_mel(np.linspace(_to_mel(self.fmin), _to_mel(self.fmax), self.mels + 2))
        bins = np.arange(self.fft // 2 + 1)[:, None] * (self.rate / self.fft)
        low, peak, high = points[:-2], points[1:-1], points[2:]
        triangles = np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)).clip(min=0)
        deaf = np.flatnonzero(~triangles.any(axis=0))
        if len(deaf):
            where = f"{low[deaf[0]]:.0f} to {high[deaf[0]]:.0f} Hz"
            raise ValueError(f"{len(deaf)} of {self.mels} mel bands ({where}) lie between two bins of the spectrum")
        return np.asarray(triangles * (2 * self.rate / self.fft) / (high - low))

    def __call__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """The spectrograms ``(n, mels, frames)`` of int16 rows ``(n, length)``."""
        waves, bands = self.matrices()
        parts = [self._spectrogram(rows[at : at + _ROWS], waves, bands) for at in range(0, len(rows), _ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.mels, self.frames))

    def _spectrogram(self, rows: NDArray[Any], waves: Matrix, bands: Matrix) -> Matrix:
        padded = np.pad(rows / _FULL, ((0, 0), self.padding)).reshape(len(rows), -1, self.hop)
        frames = np.concatenate([padded[:, block : block + self.frames] for block in range(self.blocks)], axis=2)
        squares = np.square(frames @ waves)
        half = squares.shape[2] // 2
        power = squares[:, :, :half] + squares[:, :, half:]
        return np.log1p(power @ bands).transpose(0, 2, 1)


class BandSums:
    """Mean and standard deviation of every mel band over spectrograms that are added batch by batch."""

    def __init__(self, mels: int) -> None:
        self._count = 0
        self._sum = np.zeros(mels)
        self._squares = np.zeros(mels)

    def add(self, spectrograms: NDArray[np.float64]) -> None:
        """Add a batch ``(n, mels, frames)``."""
        self._count += spectrograms.shape[0] * spectrograms.shape[2]
        self._sum += spectrograms.sum(axis=(0, 2))
        self._squares += np.square(spectrograms).sum(axis=(0, 2))

    def statistics(self) -> tuple[list[float], list[float]]:
        """Means and population standard deviations, to 6 digits: sums of floats depend on how rows were batched.

        The deviation of a band that hardly varies is 1, so that its noise is not blown up.

        Raises:
            ValueError: nothing was added.
        """
        if not self._count:
            raise ValueError("no values to take statistics of")
        mean = self._sum / self._count
        std = np.sqrt(np.maximum(self._squares / self._count - np.square(mean), 0))
        varies = std >= SMALLEST_STD
        return np.round(mean, 6).tolist(), np.where(varies, np.round(std, 6), 1.0).tolist()


SMALLEST_STD = 0.01
"""Of a band, in units of the natural logarithm (0.04 dB)."""


def _to_mel(hertz: float) -> float:
    if hertz < _LINEAR_HZ:
        return hertz * _LINEAR_MELS / _LINEAR_HZ
    return _LINEAR_MELS + math.log(hertz / _LINEAR_HZ) / _LOG_STEP


def _from_mel(mels: Matrix) -> Matrix:
    above = _LINEAR_HZ * np.exp(_LOG_STEP * np.maximum(mels - _LINEAR_MELS, 0))
    return np.where(mels < _LINEAR_MELS, mels * _LINEAR_HZ / _LINEAR_MELS, above)
