"""The numbers that an inference module gives for every row of a split, and their Parquet file."""

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

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """One entry per row, in the order of the split, in the target's unit.

    Attributes:
        ids: names of the rows.
        targets: true numbers ``(n,)``.
        values: predicted numbers ``(n,)``.
    """

    ids: list[str]
    targets: Floats
    values: Floats

    @property
    def errors(self) -> Floats:
        """Predicted minus true, ``(n,)``."""
        return self.values - self.targets


def predict(inference: nn.Module, rows: Rows, batch_size: int) -> Predictions:
    """Run ``inference`` over all rows, on the GPU where there is one.

    Raises:
        TrainingError: an answer is not a finite number.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    inference = inference.eval().to(device)
    ids: list[str] = []
    targets, values = [], []
    with torch.inference_mode():
        for indices, inputs, wanted in rows.batches(batch_size):
            (value,) = inference(torch.from_numpy(inputs).to(device))
            ids.extend(rows.ids(indices))
            targets.append(np.asarray(wanted, dtype=np.float64))
            values.append(value.to("cpu", torch.float64).numpy())
    predictions = Predictions(ids, np.concatenate(targets), np.concatenate(values))
    _check_finite(predictions)
    return predictions


def write_predictions(predictions: Predictions, interval: tuple[Floats, Floats] | None, path: Path) -> None:
    """Write id, target, value and error columns, and those of the interval where there is one.

    Equal input gives equal bytes.

    Args:
        interval: lower and upper ends ``(n,)`` each.
    """
    columns = {
        "id": pa.array(predictions.ids, pa.string()),
        "target": pa.array(predictions.targets),
        "value": pa.array(predictions.values),
        "error": pa.array(predictions.errors),
    }
    if interval is not None:
        columns |= {"low": pa.array(interval[0]), "high": pa.array(interval[1])}
    pq.write_table(pa.table(columns), path, compression="zstd")


def _check_finite(predictions: Predictions) -> None:
    broken = np.flatnonzero(~np.isfinite(predictions.values))
    if len(broken):
        raise TrainingError(
            "the model's answers are not finite numbers",
            why=f"so for {len(broken)} of {len(predictions.ids)} rows",
            details=[predictions.ids[row] for row in broken[:5]],
            fix="train again with a lower optimizer.lr, or with trainer.precision=32-true",
        )
