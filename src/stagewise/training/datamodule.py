"""Whole batches from the memory-mapped splits; no per-sample Python."""

import ctypes
import multiprocessing
import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from stagewise.config.schema.base import Target
from stagewise.data.rows import Rows, open_rows
from stagewise.data.schema import DataSchema
from stagewise.errors import ConfigError, DataError
from stagewise.training.sampler import EvaluationBatches, TrainBatches

Indices = NDArray[np.int64]
Batch = dict[str, Tensor]
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class RowBatches(Dataset[Batch]):
    """Batches of one split, indexed by arrays of row numbers."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getitem__(self, indices: Indices) -> Batch:
        """ "x" ``[B, ...]`` as stored, "y" the targets ``[B, ...]``, "index" int64 ``[B]``."""
        return {
            "x": torch.from_numpy(self._rows.take(indices)),
            "y": torch.from_numpy(self._rows.take_targets(indices)),
            "index": torch.from_numpy(indices),
        }


class ArrowDataModule(pl.LightningDataModule):
    """Training and validation batches of a processed folder, shared out over the processes of a run.

    Args:
        folder: data/processed.
        schema: its schema.
        reader: the class that reads a split file.
        batch_size: training rows per batch over all processes.
        eval_batch_size: validation rows per batch over all processes.
        workers: loader processes; 0 reads in the training process.
        seed: the order of the rows is a function of seed and epoch.

    Raises:
        DataError: the training split is empty, or (when a loader is made) a split has not a row per process.
        ConfigError: a batch cannot be divided evenly among the processes (when a loader is made).
    """

    def __init__(
        self,
        folder: Path,
        schema: DataSchema,
        reader: Target,
        batch_size: int,
        eval_batch_size: int,
        workers: int,
        seed: int,
    ) -> None:
        super().__init__()
        self._folder, self._schema, self._reader = folder, schema, reader
        self._batch_size, self._eval_batch_size = batch_size, eval_batch_size
        self._workers, self._seed = workers, seed
        self.rows = {name: split.rows for name, split in schema.splits.items()}
        """Rows of each split."""
        if not self.rows.get("train"):
            raise DataError("the training split is empty", where=str(folder), fix="dvc repro preprocess")

    def train_batches(self, world_size: int, rank: int = 0) -> TrainBatches:
        """The row numbers of the training batches of one process."""
        if self._batch_size % world_size:
            raise ConfigError(
                f"a batch of {self._batch_size} rows cannot be shared out evenly over {world_size} processes",
                where="trainer.batch_size",
                fix=f"choose a multiple of {world_size}",
            )
        rows = self._enough("train", world_size)
        lengths = self._open("train").lengths
        return TrainBatches(rows, self._batch_size, self._seed, rank, world_size, lengths)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Loader of this process's share of the training batches, from where a resumed run goes on."""
        world, rank = self._place()
        batches = self.train_batches(world, rank)
        if self.trainer is not None:
            # Before loader processes begin to read ahead: Lightning names the epoch only after that.
            loop = self.trainer.fit_loop
            done = loop.epoch_loop.batch_progress.current.ready if loop.restarting else 0
            batches.begin_at(self.trainer.current_epoch, done)
        return self._loader("train", batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Loader of this process's share of the validation rows, in order."""
        world, rank = self._place()
        rows = self._enough("validation", world)
        return self._loader("validation", EvaluationBatches(rows, self._eval_batch_size, rank, world))

    def _enough(self, split: str, world_size: int) -> int:
        rows = self.rows[split]
        if rows < world_size:
            raise DataError(
                f"the {split} split has {rows} rows, fewer than the run has processes ({world_size})",
                where=str(self._folder),
                fix="lower trainer.devices",
            )
        return rows

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.world_size, trainer.global_rank) if trainer is not None else (1, 0)

    def _open(self, split: str) -> Rows:
        return open_rows(self._reader, self._folder, self._schema, split)

    def _loader(self, split: str, sampler: Sampler[Indices]) -> DataLoader[Batch]:
        return DataLoader(
            RowBatches(self._open(split)),
            sampler=sampler,
            batch_size=None,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=partial(_begin_worker, os.getpid()),
        )


def _begin_worker(parent: int, _: int) -> None:
    """Have a loader process live as long as the training process, which alone answers Ctrl-C.

    Workers of torch notice that their parent is gone, but not if it was killed before they had looked.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if multiprocessing.get_start_method() == "fork" and os.getppid() != parent:
        os._exit(1)
