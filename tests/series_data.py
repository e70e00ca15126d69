"""Small time series for tests, as a reader would yield them and as preprocess would leave them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stagewise.config.schema.data import PreprocessSettings
from stagewise.config.schema.train import TrainSettings
from stagewise.data.features.series import SeriesFeature
from stagewise.data.sample import Sample
from stagewise.data.schema import DataSchema
from stagewise.data.series.preparation import SeriesPreparation
from stagewise.data.series.series import Series
from stagewise.data.series.windows import WindowReader

NAMED = {"_target_": "stagewise.data.features.series.SeriesFeature"}
"""Stands for targets that preparation is given built."""


class Samples:
    """A reader of given series."""

    time_column, series_column = "time", None

    def __init__(self, series: dict[str, Series] | Iterable[Sample]) -> None:
        self.samples = (
            [Sample(id=name, value=one, label=None) for name, one in series.items()]
            if isinstance(series, dict)
            else list(series)
        )

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)


def hours(count: int, start: str = "2024-01-01") -> np.ndarray:
    return np.datetime64(start, "s") + np.arange(count) * np.timedelta64(3600, "s")


def wave(count: int = 200, variables: int = 2, seed: int = 0, start: str = "2024-01-01") -> Series:
    """Hourly values with a daily cycle, a level of their own for every variable, and some noise."""
    random = np.random.default_rng(seed)
    steps = np.arange(count)[:, None]
    cycle = np.sin(2 * np.pi * steps / 24 + np.arange(variables))
    values = 10.0 * (1 + np.arange(variables)) + (2 + np.arange(variables)) * cycle + random.normal(0, 0.3, cycle.shape)
    return Series(hours(count, start), values, tuple(f"v{number}" for number in range(variables)))


def settings(**data: Any) -> PreprocessSettings:
    section = {"name": "waves", "reader": NAMED, "feature": NAMED, **data}
    return PreprocessSettings.model_validate({"seed": 0, "threads": 1, "data": section, "augment": {}})


def prepare(
    folder: Path,
    series: dict[str, Series] | Iterable[Sample],
    feature: SeriesFeature | None = None,
    borders: list[int] | None = None,
    **data: Any,
) -> DataSchema:
    """Write a processed folder, with the reports in it too."""
    folder.mkdir(parents=True, exist_ok=True)
    feature = feature or SeriesFeature(lookback=24, horizon=6)
    return SeriesPreparation(borders)(settings(**data), Samples(series), feature, folder, folder)


def open_split(folder: Path, schema: DataSchema, split: str) -> WindowReader:
    return WindowReader(folder / schema.splits[split].file, schema)


def every(rows: WindowReader) -> np.ndarray:
    return np.arange(len(rows), dtype=np.int64)


NETWORK: dict[str, Any] = {
    "seed": 0,
    "threads": 1,
    "rows": {"_target_": "stagewise.data.series.windows.WindowReader"},
    "inputs": {"_target_": "stagewise.tasks.inputs.series.SeriesInputs"},
    "model": {"_target_": "stagewise.models.dlinear.DLinear", "kernel": 5},
    "inference": {"_target_": "stagewise.tasks.forecasting.inference.Forecaster"},
}


def train_settings(**changes: Any) -> TrainSettings:
    """Settings of a short training run, with these sections changed."""
    sections = {
        **NETWORK,
        "module": {"_target_": "stagewise.tasks.forecasting.module.ForecastingModule"},
        "augment": {"transforms": []},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.01},
        "scheduler": {"_target_": "stagewise.training.schedules.one_cycle"},
    }
    trainer = {
        "max_epochs": 3,
        "batch_size": 16,
        "loggers": [],
        "accelerator": "cpu",
        "monitor": "val_mse",
        "mode": "min",
    }
    return TrainSettings.model_validate({**sections, **changes, "trainer": trainer})
