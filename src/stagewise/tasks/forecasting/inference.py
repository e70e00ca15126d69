"""The next steps of every window."""

import torch
from torch import Tensor, nn

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.data.schema import DataSchema
from stagewise.tasks.inference import Inference


class Forecaster(Inference):
    """The network's forecast in the unit of each variable.

    The network forecasts standardised values, which are scaled back by the mean and standard deviation of the training
    rows.

    Args:
        network: maps windows ``[N, lookback, variables + calendar]`` to ``[N, horizon, variables]``.
        inputs, schema: see ``Inference``.
    """

    answers = "series"
    runtime = "stagewise.runtime.forecast"
    outputs = ("forecast",)

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, inputs: nn.Module, schema: DataSchema) -> None:
        super().__init__(network, inputs, schema)
        target = schema.target.narrow(SeriesTarget)
        self.register_buffer("mean", torch.tensor(target.mean))
        self.register_buffer("std", torch.tensor(target.std))

    def forward(self, raw: Tensor) -> tuple[Tensor]:
        """Forecast float32 ``[N, horizon, V]`` of windows ``[N, lookback, V + calendar]``."""
        return (self.answer(raw) * self.std + self.mean,)
