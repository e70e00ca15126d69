"""Training forecasters with Lightning, through the train stage."""

import numpy as np
import pytest
import torch
from series_data import prepare, train_settings, wave

from stagewise.config.schema.base import Target
from stagewise.data.features.series import SeriesFeature
from stagewise.data.schema import read_schema
from stagewise.models.dlinear import DLinear
from stagewise.tasks.forecasting.inference import Forecaster
from stagewise.tasks.forecasting.module import ForecastingModule
from stagewise.tasks.inputs.series import SeriesInputs
from stagewise.training.callbacks import read_history
from stagewise.training.train import train


@pytest.fixture(scope="module")
def processed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("waves")
    one = wave(240)
    one.values[100:103, 0] = np.nan
    prepare(folder, {"a": one}, SeriesFeature(24, 6, gaps="interpolate", calendar=["hour"]), checks={"missing": "warn"})
    return folder


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(processed, folder, **changes):
    out = folder / "out"
    out.mkdir(parents=True)
    return out, train(train_settings(**changes), processed, out, folder / "work")


def test_it_trains_and_repeats_to_the_bit(processed, tmp_path):
    augment = {
        "transforms": [
            {"_target_": "stagewise.data.augment.series_jitter.SeriesJitter"},
            {"_target_": "stagewise.data.augment.series_scale.SeriesScale"},
        ]
    }
    out, kept = run(processed, tmp_path / "one", augment=augment)
    again, _ = run(processed, tmp_path / "two", augment=augment)
    for name in ("model.safetensors", "history.csv"):
        assert (out / name).read_bytes() == (again / name).read_bytes()
    history = [row["val_mse"] for row in read_history(out / "history.csv")]
    assert history[-1] < 0.8 * history[0] and kept["val_mse"] == min(history)
    assert kept["val_loss"] == kept["val_mse"] and kept["val_mae"] > 0


def test_the_criterion_is_what_is_minimised(processed, tmp_path):
    module = {"_target_": "stagewise.tasks.forecasting.module.ForecastingModule", "criterion": "mae"}
    _, kept = run(processed, tmp_path, module=module)
    assert kept["val_loss"] == kept["val_mae"] != kept["val_mse"]
    assert kept["train_loss"] == kept["train_mae"]


def build(schema, **arguments):
    inputs = SeriesInputs(schema)
    inference = Forecaster(DLinear(inputs.network_shape, 6, kernel=5), inputs, schema)
    target = Target.model_validate({"_target_": "torch.optim.AdamW"})
    return ForecastingModule(
        inference=inference,
        augmentation=None,
        optimizer=target,
        scheduler=target,
        seed=0,
        steps_per_epoch=1,
        max_epochs=1,
        schema=schema,
        **arguments,
    )


def test_targets_are_standardised_and_holes_stay(processed):
    schema = read_schema(processed)
    module = build(schema)
    y = torch.tensor([[[10.0, torch.nan]]])
    mean, std = schema.target.mean, schema.target.std
    prepared = module.prepare_targets(y)
    assert prepared[0, 0, 0].item() == pytest.approx((10 - mean[0]) / std[0], rel=1e-5) and torch.isnan(
        prepared[0, 0, 1]
    )


def test_an_unknown_criterion_is_told(processed):
    with pytest.raises(ValueError, match="criterion must be mse, mae or huber, not 'rmse'"):
        build(read_schema(processed), criterion="rmse")
