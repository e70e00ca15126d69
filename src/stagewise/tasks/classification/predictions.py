"""The answers of an inference module for every row of a split, and their Parquet file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn

from stagewise.data.rows import Rows
from stagewise.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Predictions:
    """One entry per row, in the order of the split.

    Attributes:
        ids: names of the rows.
        targets: true class, int64 ``(n,)``.
        labels: predicted class, int64 ``(n,)``.
        probabilities: float32 ``(n, classes)``.
    """

    ids: list[str]
    targets: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each row was predicted right, ``(n,)``."""
        return np.asarray(self.labels == self.targets)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the predicted class, ``(n,)``."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]


def predict(inference: nn.Module, rows: Rows, batch_size: int) -> Predictions:
    """Run ``inference`` over all rows, on the GPU where there is one.

    Raises:
        TrainingError: a probability is not a finite number.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    inference = inference.eval().to(device)
    ids: list[str] = []
    targets, labels, probabilities = [], [], []
    with torch.inference_mode():
        for indices, values, wanted in rows.batches(batch_size):
            label, probability = inference(torch.from_numpy(values).to(device))
            ids.extend(rows.ids(indices))
            targets.append(np.asarray(wanted, dtype=np.int64))
            labels.append(label.to("cpu", torch.int64).numpy())
            probabilities.append(probability.to("cpu", torch.float32).numpy())
    predictions = Predictions(ids, np.concatenate(targets), np.concatenate(labels), np.concatenate(probabilities))
    _check_finite(predictions)
    return predictions


def _check_finite(predictions: Predictions) -> None:
    broken = np.flatnonzero(~np.isfinite(predictions.probabilities).all(axis=1))
    if len(broken):
        raise TrainingError(
            "the model's answers are not finite numbers",
            why=f"so for {len(broken)} of {len(predictions.ids)} rows",
            details=[predictions.ids[row] for row in broken[:5]],
            fix="train again with a lower optimizer.lr, or with trainer.precision=32-true",
        )


def write_predictions(predictions: Predictions, classes: list[str], path: Path) -> None:
    """Write id, target, label, correct, confidence and ``p_<class>`` columns; equal input gives equal bytes."""
    names = np.array(classes, dtype=object)
    columns = {
        "id": pa.array(predictions.ids, pa.string()),
        "target": pa.array(names[predictions.targets], pa.string()),
        "label": pa.array(names[predictions.labels], pa.string()),
        "correct": pa.array(predictions.correct),
        "confidence": pa.array(predictions.confidence),
    }
    for index, name in enumerate(classes):
        columns[f"p_{name}"] = pa.array(np.ascontiguousarray(predictions.probabilities[:, index]))
    pq.write_table(pa.table(columns), path, compression="zstd")
