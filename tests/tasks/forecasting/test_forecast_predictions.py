"""Errors by window, step and variable, against whole arrays in numpy."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from series_data import every
from torch import nn

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.errors import TrainingError
from stagewise.tasks.forecasting import predictions as module
from stagewise.tasks.forecasting.predictions import FORECASTERS, predict, repeat_season, write_predictions


def reference(gappy, name):
    """Standardised errors ``(n, H, V)`` of a forecaster, NaN where nothing was observed."""
    schema, rows, _ = gappy
    target = schema.target.narrow(SeriesTarget)
    x, y = rows.take(every(rows)), rows.take_targets(every(rows))
    forecasts = {
        "model": x[:, -1:, :] + 0.1 * np.arange(1, 7, dtype=np.float32)[:, None],
        "seasonal_naive": x[:, [48 - 24 + step for step in range(6)]],
        "persistence": x[:, [-1] * 6],
    }
    return (forecasts[name].astype(np.float64) - y) / np.array(target.std)


@pytest.mark.parametrize("name", FORECASTERS)
def test_errors_are_those_of_numpy(name, gappy, predictions):
    error, found = reference(gappy, name), predictions.errors[name]
    assert found.mse == pytest.approx(np.nanmean(error**2), rel=1e-6)
    assert found.mae == pytest.approx(np.nanmean(np.abs(error)), rel=1e-6)
    for measured, size in ((found.window_squares, error**2), (found.window_sizes, np.abs(error))):
        np.testing.assert_allclose(measured, np.nansum(size, (1, 2)), rtol=1e-6)
    for measured, size in ((found.step_squares, error**2), (found.step_sizes, np.abs(error))):
        np.testing.assert_allclose(measured, np.nansum(size, 0), rtol=1e-6)


def test_counts_are_of_observed_values(gappy, predictions):
    known = ~np.isnan(reference(gappy, "model"))
    assert not known.all()
    assert np.array_equal(predictions.counts, known.sum((1, 2)))
    assert np.array_equal(predictions.step_counts, known.sum(0))


def test_batches_do_not_matter(gappy, predictions, drift):
    schema, rows, _ = gappy
    other = predict(drift(6), rows, schema.target.narrow(SeriesTarget), 1000)
    assert other.ids == predictions.ids
    for name in FORECASTERS:
        assert other.errors[name].mse == pytest.approx(predictions.errors[name].mse, rel=1e-12)
        assert np.array_equal(other.errors[name].window_squares, predictions.errors[name].window_squares)


def test_blocks_are_runs_of_windows_of_one_series(gappy, predictions):
    _, rows, _ = gappy
    blocks, series, begins = predictions.blocks, rows.series(), rows.begins()
    assert (np.diff(blocks) >= 0).all() and blocks[0] == 0 and set(blocks) == set(range(blocks[-1] + 1))
    for block in range(blocks[-1] + 1):
        inside = blocks == block
        assert len(set(series[inside])) == 1
        assert begins[inside].max() - begins[inside].min() < 6
    assert blocks[-1] + 1 >= len(rows) // 6


def test_naive_forecasts_repeat_the_end_of_the_window(gappy):
    target = gappy[0].target.narrow(SeriesTarget).model_copy(update={"season": 4, "outputs": 6})
    inputs = np.arange(40, dtype=np.float32).reshape(1, 10, 4)
    assert repeat_season(inputs, target)[0, :, 0].tolist() == [24, 28, 32, 36, 24, 28]
    assert repeat_season(inputs, target).shape == (1, 6, 2)  # the calendar columns are not forecast
    assert repeat_season(inputs, target, season=1)[0, :, 1].tolist() == [37] * 6


def test_kept_forecasts_are_bounded_and_whole(gappy, drift, monkeypatch):
    schema, rows, _ = gappy
    monkeypatch.setattr(module, "KEPT_VALUES", 30 * 12)
    kept = predict(drift(6), rows, schema.target.narrow(SeriesTarget), 16).kept
    assert 15 <= len(kept.indices) <= 30
    assert np.array_equal(kept.truths, rows.take_targets(kept.indices), equal_nan=True)
    expected = rows.take(kept.indices)[:, -1:] + 0.1 * np.arange(1, 7)[:, None]
    np.testing.assert_allclose(kept.forecasts, expected, rtol=1e-5)
    monkeypatch.setattr(module, "KEPT_VALUES", 1)
    assert len(predict(drift(6), rows, schema.target.narrow(SeriesTarget), 16).kept.indices) >= 9


def test_the_file_holds_every_window_and_some_forecasts(gappy, predictions, tmp_path):
    write_predictions(predictions, tmp_path / "one.parquet")
    write_predictions(predictions, tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    table = pq.read_table(tmp_path / "one.parquet")
    assert table.num_rows == len(predictions.ids) and table.column("id").to_pylist() == predictions.ids
    error = reference(gappy, "model")
    np.testing.assert_allclose(table.column("squared_error").to_numpy(), np.nanmean(error**2, (1, 2)), rtol=1e-6)
    assert "seasonal_naive_absolute_error" in table.column_names
    forecast = table.column("forecast").to_pylist()
    held = [row for row, values in enumerate(forecast) if values is not None]
    assert held == predictions.kept.indices.tolist()
    assert np.array_equal(np.array([forecast[row] for row in held], np.float32), predictions.kept.forecasts)


def test_a_forecast_that_is_no_number_is_told(gappy):
    class Broken(nn.Module):
        def forward(self, raw):
            forecast = raw[:, :6, :2].clone()
            forecast[3] = torch.inf
            return (forecast,)

    schema, rows, _ = gappy
    with pytest.raises(TrainingError, match="not finite") as raised:
        predict(Broken(), rows, schema.target.narrow(SeriesTarget), 16)
    assert raised.value.details == [rows.ids(np.array([3]))[0]]
