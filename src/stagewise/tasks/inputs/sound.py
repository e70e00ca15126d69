"""Recordings: int16 samples to a standardised log-mel spectrogram, which is an image to the network."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from stagewise.data.features.sound_entry import SoundEntry
from stagewise.data.schema import DataSchema

_FULL = 32768
_NOISE = 2


class SoundInputs(nn.Module):
    """The spectrogram of ``stagewise.data.features.log_mel.LogMel``, inside the exported graph.

    Frames are cut by slicing (a window touches a few pieces of ``hop`` samples), transformed by a product with the
    windowed cosines and sines, and gathered into mel bands by a second product. Both run in double precision: the
    logarithm brings out parts that are a millionth of the loudest ones, which float32 rounds away differently in
    every library; and int8 quantisation, which would ruin them, leaves doubles alone.

    Attributes:
        network_shape: (1, mels, frames).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        entry = schema.feature.narrow(SoundEntry)
        spectrogram = entry.log_mel()
        self._rate, self._length, self._hop = spectrogram.rate, spectrogram.length, spectrogram.hop
        self._frames, self._blocks, self._padding = spectrogram.frames, spectrogram.blocks, spectrogram.padding
        self.network_shape: tuple[int, ...] = (1, spectrogram.mels, spectrogram.frames)
        # No buffers: a network of half precision must not halve theirs.
        self._waves, self._bands = (torch.from_numpy(matrix) for matrix in spectrogram.matrices())
        self.register_buffer("mean", torch.tensor(entry.mean).view(-1, 1))
        self.register_buffer("std", torch.tensor(entry.std).view(-1, 1))

    def decode(self, raw: Tensor) -> Tensor:
        """Turn int16 ``[N, samples]`` into float ``[N, samples]`` in [-1, 1]."""
        return raw.float().div(_FULL)

    def forward(self, x: Tensor) -> Tensor:
        """Map float ``[N, samples]`` to ``[N, 1, mels, frames]``, of mean 0 and deviation 1 over the training rows.

        The result has the dtype of the network's weights.
        """
        # Apple's GPUs know no double.
        exact = torch.float32 if x.device.type == "mps" else torch.float64
        pieces = functional.pad(x.to(exact), self._padding).view(-1, self._frames + self._blocks - 1, self._hop)
        frames = torch.cat([pieces[:, block : block + self._frames] for block in range(self._blocks)], 2)
        squares = (frames @ self._waves.to(x.device, exact)).square()
        cosines, sines = squares.chunk(2, 2)
        bands = (cosines + sines) @ self._bands.to(x.device, exact)
        levels = (1 + bands).log().float().transpose(1, 2)
        return ((levels - self.mean) / self.std).to(self.mean.dtype).unsqueeze(1)

    def example(self) -> tuple[Tensor, dict[int, str]]:
        """Two silent recordings, and the axes of the exported graph that are free."""
        return torch.zeros((2, self._length), dtype=torch.int16), {0: "batch"}

    def hostile(self, generator: np.random.Generator) -> dict[str, NDArray[np.int16]]:
        """Recordings at the edges of the range: int16 ``(samples,)`` each."""
        time = np.arange(self._length)
        tone = np.sin(2 * np.pi * time * 0.1234)
        rows = {
            "silence": np.zeros(self._length),
            "all -32768": np.full(self._length, -_FULL),
            "all 32767": np.full(self._length, _FULL - 1),
            "all 1000": np.full(self._length, 1000),
            "alternating": np.where(time % 2, _FULL - 1, -_FULL),
            "click": np.where(time == self._length // 2, _FULL - 1, 0),
            "half silence": np.where(time * 2 < self._length, 0, np.rint((_FULL - 1) * tone)),
            "loud tone": np.rint((_FULL - 1) * tone),
            "faint tone": np.rint(1.5 * tone),
        }
        for number in range(_NOISE):
            rows[f"noise {number}"] = generator.integers(-_FULL, _FULL, self._length)
        return {name: row.astype(np.int16) for name, row in rows.items()}
