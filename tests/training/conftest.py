"""A tiny learnable dataset as preprocess would leave it, and settings to train on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parts import IMAGE_NETWORK

from stagewise.config.schema.train import TrainSettings
from stagewise.data.features.entries import ImageEntry
from stagewise.data.layout import Layout
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, write_schema
from stagewise.data.storage import SplitWriter

SHAPE = (8, 8, 1)
ROWS = {"train": 96, "validation": 30, "test": 30}


def _write(folder: Path, rows: dict[str, int]) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    splits = {}
    for name, count in rows.items():
        targets = np.arange(count, dtype=np.int64) % 3
        values = random.integers(0, 120, (count, *SHAPE), dtype=np.uint8)
        for row, target in enumerate(targets):
            values[row, 2 * target : 2 * target + 2] += 100
        with SplitWriter(folder / f"{name}.arrow", Layout(np.dtype(np.uint8), SHAPE), 40) as writer:
            writer.write(values, targets, [f"{name}/{row}" for row in range(count)])
        counts = np.bincount(targets, minlength=3).tolist()
        splits[name] = SplitInfo(file=f"{name}.arrow", rows=count, sha256="0" * 64, class_counts=counts)
    feature = ImageEntry(shape=SHAPE, resize="bilinear", mean=[0.3], std=[0.2])
    target = ClassTarget(classes=["a", "b", "c"])
    write_schema(DataSchema(name="stripes", features=[feature], target=target, splits=splits), folder)


def make_settings(**changes: Any) -> TrainSettings:
    """Settings with these sections changed; ``trainer`` is laid over the defaults."""
    sections: dict[str, Any] = {
        "seed": 0,
        "threads": 1,
        "model": {"_target_": "stagewise.models.mlp.MLP", "hidden": [16]},
        **IMAGE_NETWORK,
        "module": {"_target_": "stagewise.tasks.classification.module.ClassificationModule"},
        "augment": {"transforms": []},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.01},
        "scheduler": {"_target_": "stagewise.training.schedules.constant"},
    }
    trainer = {
        "monitor": "val_accuracy",
        "mode": "max",
        "max_epochs": 2,
        "batch_size": 24,
        "loggers": [],
        "accelerator": "cpu",
        **changes.pop("trainer", {}),
    }
    return TrainSettings.model_validate({**sections, **changes, "trainer": trainer})


@pytest.fixture(scope="session")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "processed"
    _write(folder, ROWS)
    return folder


@pytest.fixture
def write_data() -> Callable[[Path, dict[str, int]], None]:
    return _write


@pytest.fixture
def settings() -> Callable[..., TrainSettings]:
    return make_settings


@pytest.fixture
def fit(processed: Path, tmp_path: Path) -> Callable[..., tuple[Path, dict[str, float]]]:
    """Train with changed settings; returns the output folder and the kept epoch's metrics."""
    from stagewise.training.train import train

    def run(name: str = "run", **changes: Any) -> tuple[Path, dict[str, float]]:
        out = tmp_path / name / "out"
        out.mkdir(parents=True)
        return out, train(make_settings(**changes), processed, out, tmp_path / name / "work")

    return run
