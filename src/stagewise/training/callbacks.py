"""What happens around the steps of a run: its history, the guard of its loss, the average of its weights."""

import csv
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, WeightAveraging
from torch import Tensor
from typing_extensions import override

from stagewise.errors import TrainingError

log = logging.getLogger(__name__)


class History(Checkpoint):
    """Appends a row to a CSV file after every epoch, floats exact; the first process only.

    The columns are ``epoch`` (from 1), the task's ``metrics`` and ``lr``, that of the epoch's last step. A
    ``Checkpoint``, because Lightning calls those after the module has logged the epoch. A run that goes on from a
    checkpoint writes the rows of the epochs before it again.

    Args:
        path: the file, written anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, float]] = []

    @override
    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self._rows}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these rows."""
        self._rows = state_dict["rows"]

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write the header, and the rows of epochs before this start."""
        if trainer.is_global_zero:
            with self._path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerow(_columns(pl_module))
            for row in self._rows:
                self._append(row, _columns(pl_module))

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Append the epoch."""
        if not trainer.is_global_zero:
            return
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1, **pl_module.epoch_metrics}
        self._rows.append(row)
        self._append(row, _columns(pl_module))
        parts = [f"{name} {row[name]:.4f}" for name in pl_module.metrics if name in row]
        log.info("epoch %d/%s  %s", trainer.current_epoch + 1, trainer.max_epochs, "  ".join(parts))

    def _append(self, row: dict[str, float], columns: tuple[str, ...]) -> None:
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow([repr(row[name]) if name in row else "" for name in columns])


class FiniteLoss(Callback):
    """Stops a run whose loss is no longer finite.

    Looks after every step where that costs nothing (one process on a CPU), else every 50 steps and at the end of
    the epoch; all processes then stop together.

    Raises:
        TrainingError: naming epoch, step and learning rate.
    """

    def __init__(self, interval: int = 50) -> None:
        self._interval = interval

    @override
    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look at the sum of the losses so far: once not finite, it stays so."""
        cheap = pl_module.device.type == "cpu" and trainer.world_size == 1
        last = batch_idx + 1 == trainer.num_training_batches
        if not (cheap or last or (batch_idx + 1) % self._interval == 0):
            return
        failed = not bool(pl_module.loss_sum().isfinite())
        if trainer.world_size > 1:
            failed = trainer.strategy.reduce_boolean_decision(failed, all=False)
        if failed:
            raise _not_finite(trainer, batch_idx, pl_module.learning_rate)


class WeightAverage(WeightAveraging):
    """Exponential moving average of the weights; validation, checkpoints and the end of the run use the average.

    The decay grows from 0.18 towards its value over the first steps, so that the random start is soon forgotten.

    Args:
        decay: share of the average that is kept in a step.
    """

    def __init__(self, decay: float) -> None:
        def average(averages: Any, current: Any, steps: Any) -> None:
            count = int(steps)
            weight = 1 - min(decay, (1 + count) / (10 + count))
            if averages[0].is_floating_point():
                torch._foreach_lerp_(averages, current, weight)
            else:
                torch._foreach_copy_(averages, current)

        super().__init__(multi_avg_fn=average)

    @override
    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Make the average on the training device; the module itself is moved there later."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def averaged(self) -> dict[str, Tensor]:
        """The module's state with averaged values, by name."""
        average = self._average_model
        return {} if average is None else average.module.state_dict()


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of history.csv, one per epoch; columns without a value are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def _not_finite(trainer: pl.Trainer, batch_idx: int, rate: float) -> TrainingError:
    return TrainingError(
        "the training loss is not finite",
        where=f"epoch {trainer.current_epoch + 1}, step {batch_idx + 1} of {trainer.num_training_batches}",
        why=f"learning rate {rate:.3g} at that step, precision {trainer.precision}",
        details=[
            f"lower the learning rate: optimizer.lr={rate / 10:.1g}",
            "clip the gradient: trainer.gradient_clip=1.0",
            "warm up: scheduler=cosine scheduler.warmup_epochs=1",
            "train with full precision: trainer.precision=32-true",
        ],
        fix="try one of these; with the same config the run goes on from its last checkpoint and fails here again",
    )


def _columns(module: Any) -> tuple[str, ...]:
    return ("epoch", *module.metrics, "lr")
