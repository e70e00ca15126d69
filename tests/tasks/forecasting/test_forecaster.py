"""From windows to forecasts in the unit."""

import numpy as np
import torch
from series_data import every, open_split, prepare, wave
from torch import nn

from stagewise.data.features.series import SeriesFeature
from stagewise.tasks.forecasting.inference import Forecaster
from stagewise.tasks.inputs.series import SeriesInputs


class Last(nn.Module):
    """Forecasts the last value of every variable."""

    def forward(self, x):
        return x[:, -1:, :2].expand(-1, 6, -1)


def test_forecasts_are_in_the_unit_of_each_variable(tmp_path):
    schema = prepare(tmp_path, {"a": wave()}, SeriesFeature(24, 6, calendar=["hour"]))
    rows = open_split(tmp_path, schema, "test")
    inference = Forecaster(Last(), SeriesInputs(schema), schema).eval()
    raw = rows.take(every(rows))
    (forecast,) = inference(torch.from_numpy(raw))
    assert forecast.dtype == torch.float32 and forecast.shape == (len(rows), 6, 2)
    np.testing.assert_allclose(forecast.numpy(), raw[:, -1:, :2].repeat(6, 1), rtol=1e-5)
    assert Forecaster.outputs == ("forecast",) and Forecaster.answers == "series"
    assert Forecaster.runtime == "stagewise.runtime.forecast"
