"""Which rows form which batch: a function of (seed, epoch), whatever the number of processes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

Indices = NDArray[np.int64]
POOL = 50
"""Batches among which rows of like length are brought together."""


class TrainBatches(Sampler[Indices]):
    """Every row once per epoch, in random order; one process's share of every batch.

    The last batch may be smaller. If it cannot be divided evenly among the processes, up to ``world_size - 1`` rows
    of it are left out of that epoch (others each time, since the order is another one).

    Args:
        rows: number of rows.
        batch_size: rows per batch over all processes; a multiple of ``world_size``.
        seed: of the order.
        rank: this process.
        world_size: number of processes.
        lengths: length of every row, ``(rows,)``, where rows of a batch are padded to the longest: a batch then holds
            rows of like length, chosen at random among ``POOL`` batches.
    """

    def __init__(
        self,
        rows: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        lengths: Indices | None = None,
    ) -> None:
        self._lengths = lengths
        self._rows, self._batch_size, self._seed = rows, batch_size, seed
        self._rank, self._world_size = rank, world_size
        self._epoch = 0
        self._skip = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of this epoch from now on; Lightning calls it."""
        self._epoch = epoch

    def begin_at(self, epoch: int, batch: int) -> None:
        """Take this epoch's order from this batch on, later ones from their first; the length stays a whole epoch's."""
        self._epoch, self._skip = epoch, (epoch, batch)

    def __len__(self) -> int:
        return -(-self._used // self._batch_size)

    def __iter__(self) -> Iterator[Indices]:
        generator = np.random.default_rng([self._seed, self._epoch])
        order = generator.permutation(self._rows)
        if self._lengths is not None:
            order = bucket(order, self._lengths, self._batch_size, generator)
        epoch, done = self._skip
        for begin in range(done * self._batch_size if epoch == self._epoch else 0, self._used, self._batch_size):
            # Contiguous shares: process 0 has the first rows of the batch.
            batch = order[begin : min(begin + self._batch_size, self._used)]
            share = len(batch) // self._world_size
            yield batch[self._rank * share : (self._rank + 1) * share]

    @property
    def _used(self) -> int:
        return self._rows - self._rows % self._world_size


def bucket(order: Indices, lengths: Indices, batch_size: int, generator: np.random.Generator) -> Indices:
    """Reorder rows so that every batch holds rows of like length, and batches follow one another at random.

    Rows are sorted by length within ``POOL`` batches of ``order``, so that who shares a batch differs between epochs.
    """
    pool = POOL * batch_size
    parts = [order[begin : begin + pool] for begin in range(0, len(order), pool)]
    ordered = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
    whole = len(ordered) // batch_size
    batches = ordered[: whole * batch_size].reshape(whole, batch_size)[generator.permutation(whole)]
    return np.concatenate([batches.reshape(-1), ordered[whole * batch_size :]])


class EvaluationBatches(Sampler[Indices]):
    """Every row exactly once, in order; one process's share of every batch.

    Batches differ by one row at most, and every process has equally many of them.

    Args:
        rows: number of rows.
        batch_size: most rows per batch over all processes.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(self, rows: int, batch_size: int, rank: int = 0, world_size: int = 1) -> None:
        self._rows, self._rank, self._world_size = rows, rank, world_size
        self._count = max(min(-(-rows // batch_size), rows // world_size), 1)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Indices]:
        for batch in np.array_split(np.arange(self._rows, dtype=np.int64), self._count):
            yield batch[self._rank :: self._world_size]
