"""Saving a run so that it goes on, after a kill at any moment, as if nothing had happened.

A checkpoint is made only where nothing is half done: after an optimiser step that is not its epoch's last, or before
an epoch begins. Between the last step of an epoch and the next epoch lie validation, the schedule of a plateau, early
stopping and the choice of the kept epoch, which Lightning would do twice or not at all.
"""

import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from typing_extensions import override

from stagewise.errors import TrainingError
from stagewise.training.checkpoints import CheckpointFolder
from stagewise.training.stop import StopSignals

SHARE = 0.05
"""Most of the time that may go into writing checkpoints."""

_EXCHANGE_SECONDS = 0.5
"""How often the processes of a run ask one another whether to save or to stop."""


class Saver(Checkpoint):
    """Writes checkpoints now and then, and when the run is asked to stop.

    All processes take part in writing, so they decide together: those of a distributed run now and then, at steps
    that they have agreed upon. No checkpoint is made of weights that are not finite.

    Args:
        seconds: time between checkpoints; more where writing takes more than ``SHARE`` of it; 0 saves after every
            optimiser step.

    Raises:
        Stopped: the run was asked to stop; its state is saved.
        TrainingError: the processes of a distributed run found different checkpoints.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.signals = StopSignals()
        self._folder: CheckpointFolder
        self._resumed: dict[str, int] | None = None
        self._saved_step = 0
        self._saved_at, self._cost = 0.0, 0.0
        self._next_exchange, self._exchanged = 0, (0, 0.0)
        self._batches_done = 0

    def open(self, folder: CheckpointFolder, first: bool) -> Path | None:
        """Take the folder to write to, and return the checkpoint there to go on from."""
        self._folder = folder
        if first:
            folder.open()
        return folder.newest(tidy=first)

    @override
    def state_dict(self) -> dict[str, Any]:
        """Where the run is; ``batches`` of the epoch are done."""
        return {"batches": self._batches_done}

    @override
    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Say that an epoch that is about to begin has not: Lightning would take it for one that is under way."""
        if self._batches_done == 0:
            progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
            for counts in (progress["total"], progress["current"]):
                counts["ready"] = counts["completed"]

    @override
    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Note where the run goes on."""
        batches = checkpoint["callbacks"][self.state_key]["batches"]
        self._resumed = {"epoch": checkpoint["epoch"], "batches": batches}
        self._saved_step = checkpoint["global_step"]

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Listen to signals; say where the run goes on."""
        self.signals.install(trainer.is_global_zero)
        self._saved_at = time.monotonic()
        self._next_exchange, self._exchanged = trainer.global_step, (trainer.global_step, self._saved_at)
        _check_agreement(trainer, self._saved_step)
        if self._resumed is not None:
            self.signals.saved = _place(trainer, **self._resumed)
            if trainer.is_global_zero:
                print(f"train: goes on from {self.signals.saved}", file=sys.stderr, flush=True)

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Before the first step of an epoch, nothing of the epoch before is left to do."""
        self._visit(trainer, pl_module, 0)

    @override
    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """From its first step on a resumed epoch is like any other; else Lightning would not step a plateau."""
        if self._resumed is not None:
            trainer.fit_loop.restarting = False
            self._resumed = None

    @override
    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """After a step of the optimiser."""
        done = batch_idx + 1
        if done < trainer.num_training_batches and done % trainer.accumulate_grad_batches == 0:
            self._visit(trainer, pl_module, done)

    def _visit(self, trainer: pl.Trainer, module: Any, batches: int) -> None:
        """Save, stop, or go on."""
        save, number = self._decide(trainer)
        if save or number:
            self._save(trainer, module, batches)
        if number:
            raise self.signals.stopped(number)

    def _decide(self, trainer: pl.Trainer) -> tuple[bool, int]:
        """Whether to save, and the signal that stops the run: the same in all processes."""
        now = time.monotonic()
        due = not self._seconds or now - self._saved_at >= max(self._seconds, self._cost / SHARE)
        if trainer.world_size == 1:
            return due, self.signals.number
        step = trainer.global_step
        if step < self._next_exchange:
            return False, 0
        first = trainer.is_global_zero
        before, at = self._exchanged
        rate = (step - before) / max(now - at, 1e-3)
        stride = 1 if not self._seconds else min(max(int(rate * _EXCHANGE_SECONDS), 1), 1000)
        # What only the first process knows and what any of them may have heard, as sums.
        own = [first * due, first * stride, *(self.signals.number == number for number in (15, 2))]
        due_all, stride, terminated, interrupted = _sum(trainer, own)
        self._next_exchange, self._exchanged = step + stride, (step, now)
        return bool(due_all), 15 if terminated else 2 if interrupted else 0

    def _save(self, trainer: pl.Trainer, module: Any, batches: int) -> None:
        step = trainer.global_step
        if step == self._saved_step or not _finite(module):
            return
        began = time.monotonic()
        self._batches_done = batches
        trainer.save_checkpoint(self._folder.file(step), weights_only=False)
        self._saved_step, self._saved_at = step, time.monotonic()
        self._cost = self._saved_at - began
        self.signals.saved = _place(trainer, trainer.current_epoch, batches)


def _place(trainer: pl.Trainer, epoch: int, batches: int) -> str:
    if not batches:
        return f"the start of epoch {epoch + 1} of {trainer.max_epochs}"
    return f"epoch {epoch + 1} of {trainer.max_epochs}, batch {batches} of {trainer.num_training_batches}"


def _check_agreement(trainer: pl.Trainer, step: int) -> None:
    """Processes on several machines may see several disks."""
    if trainer.world_size == 1:
        return
    total, squares = _sum(trainer, [step, step * step])
    if total * total != trainer.world_size * squares:
        raise TrainingError(
            "the processes of the run found different checkpoints",
            where=f"process {trainer.global_rank} goes on from step {step}",
            why="the machines do not share the folder .stagewise/checkpoints",
            fix="put the project on a shared disk, or remove .stagewise/checkpoints on all machines",
        )


def _sum(trainer: pl.Trainer, numbers: list[Any]) -> list[int]:
    tensor = torch.tensor([int(number) for number in numbers], device=trainer.strategy.root_device)
    total: list[int] = trainer.strategy.reduce(tensor, reduce_op="sum").tolist()
    return total


def _finite(module: Any) -> bool:
    """Whether all weights are numbers; equal in all processes, as the weights are."""
    return bool(torch.stack([parameter.isfinite().all() for parameter in module.parameters()]).all())
