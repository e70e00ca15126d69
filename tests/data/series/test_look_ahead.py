"""Nothing that a forecast is made from depends on what comes after it."""

import numpy as np
import pytest
import torch
from series_data import every, open_split, prepare, wave

from stagewise.data.features.series import SeriesFeature
from stagewise.data.features.series_entry import SeriesEntry, SeriesTarget
from stagewise.data.series.series import Series
from stagewise.models.dlinear import DLinear
from stagewise.tasks.forecasting.inference import Forecaster
from stagewise.tasks.inputs.series import SeriesInputs

BORDERS = [160, 60, 60]
FEATURE = {"lookback": 20, "horizon": 6, "calendar": ["hour"], "gaps": "interpolate", "max_gap": 3}


def gappy():
    """A series with missing rows and values of all lengths, in every split and across their borders."""
    one = wave(300, seed=5)
    values = one.values.copy()
    random = np.random.default_rng(1)
    values[random.random(values.shape) < 0.03] = np.nan
    values[158:161, 0] = values[219:222, 1] = np.nan
    kept = np.sort(random.permutation(300)[:285])
    kept = np.union1d(kept, [0, 299])
    return Series(one.times[kept], values[kept], one.variables)


def prepared(folder, series):
    schema = prepare(folder, {"a": series}, SeriesFeature(**FEATURE), BORDERS)
    windows = {}
    for split in ("train", "validation", "test"):
        rows = open_split(folder, schema, split)
        names = [np.datetime64(name.split("@")[1]) for name in rows.ids(every(rows))]
        windows |= dict(zip(names, rows.take(every(rows)), strict=True))
    return schema, windows


def forecasts(schema, windows):
    torch.manual_seed(0)
    inputs = SeriesInputs(schema)
    inference = Forecaster(DLinear(inputs.network_shape, 6, kernel=5), inputs, schema).eval()
    with torch.no_grad():
        (found,) = inference(torch.from_numpy(np.stack(list(windows.values()))))
    return dict(zip(windows, found.numpy(), strict=True))


def changed_from(series, row):
    """The series with every value from this row on replaced, and some of them taken away."""
    values = series.values.copy()
    random = np.random.default_rng(row)
    values[row:] = random.normal(500, 50, values[row:].shape)
    values[row:][random.random(values[row:].shape) < 0.1] = np.nan
    return Series(series.times, values, series.variables)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("row", [152, 155, 170, 214, 230, 251])
def test_the_future_changes_neither_inputs_nor_normalisation_nor_forecasts(row, tmp_path):
    series = gappy()
    schema, windows = prepared(tmp_path / "before", series)
    other, after = prepared(tmp_path / "after", changed_from(series, row))
    first = series.times[row]
    earlier = [time for time in windows if time <= first and time in after]
    assert len(earlier) > 50
    for time in earlier:
        assert windows[time].tobytes() == after[time].tobytes(), time
    assert any(windows[time].tobytes() != after[time].tobytes() for time in windows if time > first and time in after)
    if row >= BORDERS[0]:
        assert schema.feature == other.feature and schema.target == other.target
        before, then = forecasts(schema, windows), forecasts(other, after)
        assert all(np.array_equal(before[time], then[time]) for time in earlier)


def test_training_windows_and_statistics_are_those_of_the_training_rows_alone(tmp_path):
    """Rows of validation and test might as well not exist: what trains is the same to the bit."""
    series = gappy()
    schema, _ = prepared(tmp_path / "whole", series)
    for name, scale in (("zero", 0.0), ("huge", 1e6)):
        values = series.values.copy()
        values[BORDERS[0] :] *= scale
        other, _ = prepared(tmp_path / name, Series(series.times, values, series.variables))
        assert (tmp_path / name / "train.arrow").read_bytes() == (tmp_path / "whole" / "train.arrow").read_bytes()
        assert other.feature.narrow(SeriesEntry) == schema.feature.narrow(SeriesEntry)
        assert other.target.narrow(SeriesTarget) == schema.target.narrow(SeriesTarget)


def test_no_target_lies_in_two_splits(tmp_path):
    series = gappy()
    schema, _ = prepared(tmp_path, series)
    edges = [series.times[0], series.times[160], series.times[220], series.times[280]]
    for split, begin, end in zip(("train", "validation", "test"), edges[:-1], edges[1:], strict=True):
        rows = open_split(tmp_path, schema, split)
        times = np.array([np.datetime64(name.split("@")[1]) for name in rows.ids(every(rows))])
        assert times.min() >= begin
        assert (times + np.timedelta64(6, "h")).max() <= end


def test_a_filled_value_is_never_a_target(tmp_path):
    series = gappy()
    schema, _ = prepared(tmp_path, series)
    truth = dict(zip(series.times, series.values.astype(np.float32), strict=True))
    holes = 0
    for split in ("train", "validation", "test"):
        rows = open_split(tmp_path, schema, split)
        targets = rows.take_targets(every(rows))
        for name, target in zip(rows.ids(every(rows)), targets, strict=True):
            begin = np.datetime64(name.split("@")[1], "s")
            for step, row in enumerate(target):
                known = truth.get(begin + np.timedelta64(step, "h"), np.full(2, np.nan, np.float32))
                assert np.array_equal(row, known, equal_nan=True)
                holes += int(np.isnan(row).sum())
    assert holes > 100
