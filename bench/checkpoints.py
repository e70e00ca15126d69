"""What checkpoints cost while training: a CNN on MNIST-sized images, with and without them in turn.

    python bench/checkpoints.py [--rows 20000] [--epochs 4] [--rounds 3] [--seconds 10]

Synthetic images, as many as a run of the default setting needs to make some checkpoints. Prints the times of each
round, the checkpoints that were written, and the ratio of the medians; on a shared machine the share of time that was
spent writing says more than the ratio, and is printed beside it.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from stagewise.config.schema.train import TrainSettings
from stagewise.data.features.entries import ImageEntry
from stagewise.data.layout import Layout
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, write_schema
from stagewise.data.storage import SplitWriter
from stagewise.training.checkpoints import CheckpointFiles
from stagewise.training.train import train

SHAPE = (28, 28, 1)
spent: list[float] = []
"""Seconds that each checkpoint of the running round took."""


def write_data(folder: Path, rows: int) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    splits = {}
    for name, count in (("train", rows), ("validation", max(rows // 10, 10))):
        targets = np.arange(count, dtype=np.int64) % 10
        with SplitWriter(folder / f"{name}.arrow", Layout(np.dtype(np.uint8), SHAPE), 1000) as writer:
            images = random.integers(0, 256, (count, *SHAPE), dtype=np.uint8)
            writer.write(images, targets, [f"{name}/{row}" for row in range(count)])
        counts = np.bincount(targets, minlength=10).tolist()
        splits[name] = SplitInfo(file=f"{name}.arrow", rows=count, sha256="0" * 64, class_counts=counts)
    feature = ImageEntry(shape=SHAPE, resize="bilinear", mean=[0.5], std=[0.3])
    target = ClassTarget(classes=[str(number) for number in range(10)])
    write_schema(DataSchema(name="noise", features=[feature], target=target, splits=splits), folder)


def make_settings(epochs: int, seconds: float) -> TrainSettings:
    trainer: dict[str, Any] = {"max_epochs": epochs, "batch_size": 64, "monitor": "val_loss", "mode": "min"}
    return TrainSettings.model_validate(
        {
            "seed": 0,
            "threads": 1,
            "rows": {"_target_": "stagewise.data.rows.StoredRows"},
            "inputs": {"_target_": "stagewise.tasks.inputs.image.ImageInputs"},
            "model": {"_target_": "stagewise.models.cnn.CNN", "channels": [32, 64], "hidden": 128},
            "inference": {"_target_": "stagewise.tasks.classification.inference.Classifier"},
            "module": {"_target_": "stagewise.tasks.classification.module.ClassificationModule"},
            "augment": {"transforms": []},
            "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.001},
            "scheduler": {"_target_": "stagewise.training.schedules.one_cycle"},
            "trainer": {**trainer, "accelerator": "cpu", "loggers": [], "checkpoint_seconds": seconds},
        }
    )


class Timed(CheckpointFiles):
    """Notes how long writing took."""

    def save_checkpoint(self, *arguments: Any, **named: Any) -> None:
        """As its base."""
        began = time.perf_counter()
        super().save_checkpoint(*arguments, **named)
        spent.append(time.perf_counter() - began)


def run(settings: TrainSettings, data: Path, key: str | None) -> float:
    spent.clear()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        out.mkdir()
        began = time.perf_counter()
        train(settings, data, out, Path(folder) / "work", key)
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    import stagewise.training.trainer as assembly

    assembly.CheckpointFiles = Timed  # type: ignore[misc]
    without, with_them, shares = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_data(data, options.rows)
        settings = make_settings(options.epochs, options.seconds)
        run(make_settings(1, options.seconds), data, None)  # imports, caches
        for number in range(options.rounds):
            without.append(run(settings, data, None))
            with_them.append(run(settings, data, "key"))
            shares.append(sum(spent) / with_them[-1])
            print(
                f"round {number + 1}: without {without[-1]:.1f} s, with {with_them[-1]:.1f} s,"
                f" {len(spent)} checkpoints in {1000 * sum(spent):.0f} ms ({100 * shares[-1]:.2f} % of the time)"
            )
    ratio = statistics.median(with_them) / statistics.median(without)
    print(f"with / without checkpoints: {ratio:.3f} x; writing: {100 * statistics.median(shares):.2f} % of the time")


if __name__ == "__main__":
    main()
