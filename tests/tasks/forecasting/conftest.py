from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from series_data import open_split, prepare, wave
from torch import nn

from stagewise.data.features.series import SeriesFeature
from stagewise.data.features.series_entry import SeriesTarget
from stagewise.data.schema import DataSchema
from stagewise.data.series.windows import WindowReader
from stagewise.tasks.forecasting.predictions import Predictions, predict


class Drift(nn.Module):
    """The last value of every variable, and a little more at each step: wrong in a known way."""

    def __init__(self, horizon: int, drift: float = 0.1) -> None:
        super().__init__()
        self.horizon, self.drift = horizon, drift

    def forward(self, raw: torch.Tensor) -> tuple[torch.Tensor]:
        steps = torch.arange(1, self.horizon + 1)[:, None]
        return (raw[:, -1:, :2] + self.drift * steps,)


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataSchema, WindowReader, Path]:
    """Two series of which some values were not observed; test windows of both."""
    folder = tmp_path_factory.mktemp("gappy")
    series = {"a": wave(260, seed=1), "b": wave(200, seed=2)}
    random = np.random.default_rng(0)
    for one in series.values():
        one.values[random.random(one.values.shape) < 0.03] = np.nan
    feature = SeriesFeature(48, 6, gaps="interpolate", unit={"v0": "kW", "v1": "°C"})
    schema = prepare(folder, series, feature, split={"test": 0.3})
    return schema, open_split(folder, schema, "test"), folder


@pytest.fixture
def predictions(gappy: tuple[DataSchema, WindowReader, Path]) -> Predictions:
    schema, rows, _ = gappy
    return predict(Drift(6), rows, schema.target.narrow(SeriesTarget), 16)


@pytest.fixture
def drift() -> Callable[..., nn.Module]:
    return Drift
