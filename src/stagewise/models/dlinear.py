"""DLinear: a linear map of the trend and one of what remains, after Zeng et al. (2023)."""

import math
from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn
from torch.nn import functional

from stagewise.models.layers import check_positive
from stagewise.models.series import series_shape


class DLinear(nn.Module):
    """Splits a window into a moving average and the rest, and maps each to all steps of the forecast at once.

    The reference that every other forecaster has to beat: Zeng et al., "Are Transformers Effective for Time Series
    Forecasting?", AAAI 2023.

    Args:
        input_shape: lookback and number of variables; a third number is that of calendar features.
        outputs: steps of the forecast.
        kernel: steps of the moving average, an odd number.
        individual: weights of its own for each variable; otherwise all share theirs.

    Calendar features of a window's last step shift the forecasts of all its variables alike.

    Raises:
        ValueError: a size is below one, or the kernel even or longer than the window.
    """

    takes = "series"
    """The kind of input, as features name it."""

    def __init__(
        self,
        input_shape: tuple[int, ...],
        outputs: int,
        *,
        kernel: Annotated[int, Gt(0)] = 25,
        individual: bool = False,
    ) -> None:
        super().__init__()
        lookback, variables, calendar = series_shape(input_shape)
        check_positive(outputs=outputs, kernel=kernel)
        if kernel % 2 == 0 or kernel > lookback:
            raise ValueError(f"kernel must be odd and at most the lookback of {lookback} steps, not {kernel}")
        self.variables, self.kernel = variables, kernel
        maps = variables if individual else 1
        self.trend = StepMap(lookback, outputs, maps)
        self.rest = StepMap(lookback, outputs, maps)
        self.calendar = nn.Linear(calendar, outputs, bias=False) if calendar else None

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``[N, lookback, variables + calendar]`` to forecasts ``[N, outputs, variables]``."""
        series = x[..., : self.variables].transpose(1, 2)
        trend = self._average(series)
        y: Tensor = self.trend(trend) + self.rest(series - trend)
        if self.calendar is not None:
            y = y + self.calendar(x[:, -1, self.variables :])[:, None]
        return y.transpose(1, 2)

    def _average(self, series: Tensor) -> Tensor:
        """Moving average of ``[N, V, lookback]``; beyond its ends a window keeps its first and last value."""
        margin = (-1, -1, self.kernel // 2)
        padded = torch.cat([series[..., :1].expand(margin), series, series[..., -1:].expand(margin)], -1)
        return functional.avg_pool1d(padded, self.kernel, 1)


class StepMap(nn.Module):
    """A linear map ``[N, V, steps]`` to ``[N, V, outputs]``, one for all variables or one for each.

    Args:
        maps: 1, or the number of variables.
    """

    def __init__(self, steps: int, outputs: int, maps: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(steps)
        self.weight = nn.Parameter(torch.empty(maps, steps, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(maps, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the map."""
        if len(self.weight) == 1:
            return x @ self.weight[0] + self.bias[0]
        return (x.transpose(0, 1) @ self.weight).transpose(0, 1) + self.bias
