"""LSTM that reads a window of a series and gives all steps of the forecast at once."""

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from stagewise.models.layers import check_positive
from stagewise.models.series import normalise_windows, series_shape


class SeriesLSTM(nn.Module):
    """LSTM layers over the steps of one variable at a time, and a linear head on the final state.

    All variables share the weights. A window is read on its own scale, and the forecast scaled back; the head gives
    every step directly, so that errors do not feed on themselves as they do when forecasts are fed back.

    Args:
        input_shape: lookback and number of variables; a third number is that of calendar features.
        outputs: steps of the forecast.
        hidden: size of a state.
        layers: recurrent layers on top of each other.
        patch: steps read at once, a divisor of the lookback; 24 reads an hourly series day by day, in a fraction of
            the time.
        dropout: share of each layer's output and of the final state set to zero while training.

    Calendar features are read along with every step.

    Raises:
        ValueError: a size is below one, or the lookback no multiple of the patch.
    """

    takes = "series"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        hidden: Annotated[int, Gt(0)] = 64,
        layers: Annotated[int, Gt(0)] = 1,
        patch: Annotated[int, Gt(0)] = 1,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        lookback, self.variables, calendar = series_shape(input_shape)
        check_positive(outputs=outputs, hidden=hidden, layers=layers, patch=patch)
        if lookback % patch:
            raise ValueError(f"the lookback of {lookback} steps is not a multiple of the patch of {patch}")
        self.read = (lookback // patch, patch * (1 + calendar))
        self.recurrent = nn.LSTM(self.read[1], hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``[N, lookback, variables + calendar]`` to forecasts ``[N, outputs, variables]``."""
        series, mean, std = normalise_windows(x[..., : self.variables])
        steps = series.transpose(1, 2)[..., None]  # [N, V, lookback, 1]
        calendar = x[:, None, :, self.variables :].expand(-1, self.variables, -1, -1)
        _, (state, _) = self.recurrent(torch.cat([steps, calendar], -1).reshape(-1, *self.read))
        forecast: Tensor = self.head(state[-1]).unflatten(0, (-1, self.variables))
        return forecast.transpose(1, 2) * std + mean
