"""A small untrained model of every kind of input, with validation rows in memory."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from series_data import every, open_split, prepare, wave
from small_tables import category_column, number_column, table_schema

from stagewise.data.features.entries import ImageEntry
from stagewise.data.features.series import SeriesFeature
from stagewise.data.features.sound import SoundFeature
from stagewise.data.schema import ClassTarget, DataSchema, Feature
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.forecasting.inference import Forecaster
from stagewise.tasks.inference import Inference
from stagewise.tasks.inputs.image import ImageInputs
from stagewise.tasks.inputs.series import SeriesInputs
from stagewise.tasks.inputs.sound import SoundInputs
from stagewise.tasks.inputs.table import TableInputs
from stagewise.tasks.inputs.text import TextInputs

Model = tuple[Inference, DataSchema, Any]
CLASSES = ClassTarget(classes=["a", "b", "c"])


class Rows:
    """The protocol of ``stagewise.data.rows.Rows`` over an array; ragged ones lose the padding of the longest."""

    def __init__(self, values: np.ndarray, *, ragged: bool = False) -> None:
        self.values, self.ragged = values, ragged

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Any) -> np.ndarray:
        batch = self.values[indices]
        return np.ascontiguousarray(batch[:, : max(int((batch != 0).sum(1).max()), 1)]) if self.ragged else batch

    def take_targets(self, indices: Any) -> np.ndarray:
        return np.asarray(indices) % 3

    def ids(self, indices: Any) -> list[str]:
        return [f"row#{index}" for index in indices]


def network(name: str, shape: tuple[int, ...], outputs: int, **arguments: Any) -> torch.nn.Module:
    """The class ``module.Class`` of stagewise.models, initialised alike each time."""
    module, _, kind = name.rpartition(".")
    torch.manual_seed(0)
    return getattr(importlib.import_module(f"stagewise.models.{module}"), kind)(shape, outputs, **arguments)


def image(_: Path, name: str = "cnn.CNN", **arguments: Any) -> Model:
    feature = ImageEntry(shape=(8, 8, 1), resize="bilinear", mean=[0.3], std=[0.35])
    schema = DataSchema(name="x", features=[feature], target=CLASSES, splits={})
    inputs = ImageInputs(schema)
    pixels = np.random.default_rng(0).integers(0, 256, (80, 8, 8, 1)).astype(np.uint8)
    return Classifier(network(name, inputs.network_shape, 3, **arguments), inputs, schema).eval(), schema, Rows(pixels)


def text(_: Path, name: str = "text_transformer.TextTransformer", **arguments: Any) -> Model:
    entry = {"vocabulary": 50, "max_length": 12, "tokenizer": "{}"}
    feature = Feature(name="tokens", kind="text", dtype="int32", shape=(None,), layout="L", storage="ragged", **entry)
    schema = DataSchema(name="x", features=[feature], target=CLASSES, splits={})
    inputs = TextInputs(schema)
    generator = np.random.default_rng(0)
    tokens = generator.integers(4, 50, (80, 12)).astype(np.int32)
    tokens[np.arange(12) >= generator.integers(1, 13, 80)[:, None]] = 0
    inference = Classifier(network(name, inputs.network_shape, 3, **arguments), inputs, schema).eval()
    return inference, schema, Rows(tokens, ragged=True)


def table(_: Path, name: str = "tabular_mlp.TabularMLP", **arguments: Any) -> Model:
    generator = np.random.default_rng(0)
    numbers = generator.normal([40, 5, 0], [12, 2, 1], (80, 3)).astype(np.float32)
    numbers[::7, 1] = np.nan
    columns = [number_column(f"n{place}", numbers[:, place]) for place in range(3)]
    schema = table_schema([*columns, category_column("c", ["x", "y"], missing=True)], CLASSES)
    inputs = TableInputs(schema)
    values = np.column_stack([numbers, generator.integers(0, 4, 80)]).astype(np.float32)
    return Classifier(network(name, inputs.network_shape, 3, **arguments), inputs, schema).eval(), schema, Rows(values)


def sound(_: Path, name: str = "cnn.CNN", **arguments: Any) -> Model:
    generator = np.random.default_rng(0)
    waves = np.sin(np.arange(2000) * generator.uniform(0.05, 1, (80, 1))) * np.geomspace(50, 30000, 80)[:, None]
    raw = np.rint(waves).astype(np.int16)
    feature = SoundFeature(8000, 0.25)
    feature.fit([(raw, np.zeros(80))])
    schema = DataSchema(name="x", features=[feature.describe()], target=CLASSES, splits={})
    inputs = SoundInputs(schema)
    return Classifier(network(name, inputs.network_shape, 3, **arguments), inputs, schema).eval(), schema, Rows(raw)


def series(folder: Path, name: str = "dlinear.DLinear", **arguments: Any) -> Model:
    feature = SeriesFeature(24, 6, calendar=["hour", "weekday"])
    schema = prepare(folder, {"a": wave(variables=3)}, feature)
    inputs = SeriesInputs(schema)
    stored = open_split(folder, schema, "train")
    inference = Forecaster(network(name, inputs.network_shape, 6, **arguments), inputs, schema).eval()
    return inference, schema, Rows(stored.take(every(stored)))


MODELS: dict[str, Callable[[Path], Model]] = {
    "image, cnn": image,
    "image, vit": lambda folder: image(folder, "vit.ViT"),
    "text, transformer": lambda folder: text(folder, dim=16, heads=2, depth=1),
    "text, cnn": lambda folder: text(folder, "text_cnn.TextCNN", dim=8, filters=6),
    "text, lstm": lambda folder: text(folder, "text_rnn.TextRNN", dim=8, hidden=6),
    "text, bag": lambda folder: text(folder, "text_bag.TextBag", dim=8, bigrams=20, hidden=[6]),
    "table, mlp": table,
    "table, transformer": lambda folder: table(folder, "ft_transformer.FTTransformer"),
    "sound, cnn": sound,
    "series, linear": lambda folder: series(folder, kernel=5),
    "series, patches": lambda folder: series(folder, "patchtst.PatchTST"),
    "series, lstm": lambda folder: series(folder, "series_lstm.SeriesLSTM"),
}
"""By name: what makes the model, given an empty folder."""
