"""Between stored windows and the network."""

import numpy as np
import pytest
import torch
from series_data import every, open_split, prepare, wave

from stagewise.data.features.series import SeriesFeature
from stagewise.tasks.inputs.series import SeriesInputs


@pytest.fixture
def prepared(tmp_path):
    schema = prepare(tmp_path, {"a": wave(variables=3)}, SeriesFeature(24, 6, calendar=["hour", "weekday"]))
    rows = open_split(tmp_path, schema, "train")
    return schema, torch.from_numpy(rows.take(every(rows)))


def test_values_are_standardised_and_the_calendar_stays(prepared):
    schema, raw = prepared
    inputs = SeriesInputs(schema)
    assert inputs.network_shape == (24, 3, 4)
    x = inputs(inputs.decode(raw))
    assert x.dtype == torch.float32 and x.shape == raw.shape
    assert torch.equal(x[..., 3:], raw[..., 3:])
    expected = (raw[..., :3].double().numpy() - np.array(schema.target.mean)) / np.array(schema.target.std)
    np.testing.assert_allclose(x[..., :3].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_without_calendar_the_shape_has_two_numbers(tmp_path):
    schema = prepare(tmp_path, {"a": wave(variables=3)})
    assert SeriesInputs(schema).network_shape == (24, 3)


def test_the_example_and_the_hostile_rows_are_raw_windows(prepared):
    inputs = SeriesInputs(prepared[0])
    example, axes = inputs.example()
    assert example.shape == (2, 24, 7) and example.dtype == torch.float32 and axes == {0: "batch"}
    assert not torch.equal(example[0], example[1])
    first, again = (inputs.hostile(np.random.default_rng(3)) for _ in range(2))
    assert len(first) > 6
    for name, row in first.items():
        assert row.shape == (24, 7) and row.dtype == np.float32
        assert np.array_equal(row, again[name], equal_nan=True)
    assert np.isnan(first["all missing"]).all() and np.isinf(first["all infinite"]).all()
    assert np.isnan(first["the last step missing"]).any(1).tolist() == [False] * 23 + [True]
    strange = {name for name, row in first.items() if not np.isfinite(row).all()}
    assert {name.split()[-1] for name in strange} == {"missing", "infinite"}


def test_statistics_are_no_weights(prepared):
    inputs = SeriesInputs(prepared[0])
    assert not list(inputs.parameters())
