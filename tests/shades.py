"""Small data and models whose answers are known."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stagewise.data.features.entries import ImageEntry
from stagewise.data.layout import Layout
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, write_schema
from stagewise.data.storage import SplitWriter
from stagewise.tasks.classification.predictions import Predictions


def random_predictions(rows: int = 500, classes: int = 5, skill: float = 1.5, seed: int = 0, seen: int | None = None):
    """Predictions of a classifier whose skill is the head start of the true class; targets are below ``seen``."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, seen or classes, rows)
    logits = generator.normal(size=(rows, classes))
    logits[np.arange(rows), targets] += skill
    return from_probabilities(targets, np.exp(logits))


def from_probabilities(targets, weights) -> Predictions:
    weights = np.asarray(weights, np.float64)
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    targets = np.asarray(targets, np.int64)
    ids = [f"rows#{number}" for number in range(len(targets))]
    return Predictions(ids, targets, probabilities.argmax(axis=1).astype(np.int64), probabilities)


class Brightness(nn.Module):
    """Tells the brightness of an image: class k shines at about 25 k."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("levels", torch.arange(classes) * 25.0)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mean = image.float().mean(dim=(1, 2, 3))
        probabilities = (-(mean[:, None] - self.levels).abs() / 6).softmax(dim=1)
        return probabilities.argmax(dim=1), probabilities


def write_processed(folder: Path, names: list[str], rows: dict[str, int], copies: int = 0) -> DataSchema:
    """A processed folder of noisy grey 6x6 images whose brightness tells the class."""
    generator = np.random.default_rng(3)
    folder.mkdir(parents=True)
    splits = {}
    for split, count in rows.items():
        targets = np.arange(count, dtype=np.int64) % len(names)
        values = targets[:, None, None, None] * 25 + generator.integers(0, 26, (count, 6, 6, 1))
        ids = [f"{split}#{number}" for number in range(count)]
        if split == "train":
            ids += [f"{name}#copy{copy}" for copy in range(1, copies + 1) for name in ids[:count]]
            values, targets = np.tile(values, (1 + copies, 1, 1, 1)), np.tile(targets, 1 + copies)
        path = folder / f"{split}.arrow"
        with SplitWriter(path, Layout(np.dtype("uint8"), (6, 6, 1)), 64) as writer:
            writer.write(values.astype(np.uint8), targets, ids)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        counts = np.bincount(targets, minlength=len(names)).tolist()
        splits[split] = SplitInfo(file=path.name, rows=len(targets), sha256=digest, class_counts=counts)
    feature = ImageEntry(shape=(6, 6, 1), resize="bilinear", mean=[0.2], std=[0.2])
    schema = DataSchema(name="shades", features=[feature], target=ClassTarget(classes=names), splits=splits)
    write_schema(schema, folder)
    return schema
