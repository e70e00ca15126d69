"""Time series: windows in their unit to the standardised windows that a network takes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stagewise.data.features.series_entry import SeriesEntry
from stagewise.data.schema import DataSchema

_NOISE = 4
_FAR = 10.0


class SeriesInputs(nn.Module):
    """Centres and scales every variable by its mean and standard deviation over the training rows.

    Calendar columns, which come after the variables, stay as they are. Windows are standardised before augmentation
    sees them: there, and only there, a factor means the same for a window and for the targets that follow it.

    Attributes:
        network_shape: (lookback, variables), or (lookback, variables, calendar columns) where there are any; a network
            takes ``[N, lookback, variables + calendar columns]`` and gives ``[N, horizon, variables]``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        entry = schema.feature.narrow(SeriesEntry)
        calendar = entry.calendar_width
        self._shape = entry.shape
        self.network_shape: tuple[int, ...] = (
            entry.lookback,
            len(entry.variables),
            *([calendar] if calendar else []),
        )
        # A calendar column of mean 0 and deviation 1 stays as it is.
        self.register_buffer("mean", torch.tensor([*entry.mean, *[0.0] * calendar]))
        self.register_buffer("std", torch.tensor([*entry.std, *[1.0] * calendar]))

    def decode(self, raw: Tensor) -> Tensor:
        """Standardise float32 ``[N, lookback, variables + calendar]``; the result has the dtype of the statistics."""
        return (raw - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        """The standardised windows as they are, in the dtype of the network's weights."""
        return x.to(self.mean.dtype)

    def example(self) -> tuple[Tensor, dict[int, str]]:
        """Two windows that climb through the training mean, and the axes of the exported graph that are free."""
        climb = torch.linspace(-1, 1, self._shape[0])[:, None]
        window = self.mean.cpu().float() + climb * self.std.cpu().float()
        return torch.stack([window, window.flip(0)]), {0: "batch"}

    def hostile(self, generator: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        """Windows at the edges of what may come, and noise: float32 ``(lookback, variables + calendar)`` each.

        Windows with something that is no finite number are among them: whoever asks for a forecast of such a one must
        not get one.
        """
        mean, std = (part.cpu().numpy().astype(np.float64) for part in (self.mean, self.std))
        steps = np.arange(self._shape[0])[:, None]
        half = steps * 2 >= self._shape[0]
        wave = np.sin(steps * 0.5) * np.ones(self._shape)
        rows = {
            "all at the mean": np.zeros(self._shape),
            "far above": np.full(self._shape, _FAR),
            "far below": np.full(self._shape, -_FAR),
            "a step": np.where(half, _FAR, -_FAR) * np.ones(self._shape),
            "one spike": np.where(steps == self._shape[0] // 2, _FAR, 0.0) * np.ones(self._shape),
            "one value a thousand deviations off": np.where(steps == self._shape[0] // 2, _FAR * 100, wave),
            "all missing": np.full(self._shape, np.nan),
            "one step missing": np.where(steps == self._shape[0] // 2, np.nan, wave),
            "the last step missing": np.where(steps == self._shape[0] - 1, np.nan, wave),
            "all infinite": np.full(self._shape, np.inf),
            "one step minus infinite": np.where(steps == 0, -np.inf, wave),
        }
        rows |= {f"noise {k}": generator.normal(size=self._shape) for k in range(_NOISE)}
        return {name: (mean + std * row).astype(np.float32) for name, row in rows.items()}
