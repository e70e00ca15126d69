from itertools import pairwise

import numpy as np
import pytest

from stagewise.training.sampler import EvaluationBatches, TrainBatches


def shares(world_size: int, rows: int = 103, epoch: int = 3) -> list[list[np.ndarray]]:
    samplers = [TrainBatches(rows, 12, seed=7, rank=rank, world_size=world_size) for rank in range(world_size)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    return [list(sampler) for sampler in samplers]


def test_every_row_once_per_epoch() -> None:
    (batches,) = shares(1)
    assert sorted(np.concatenate(batches)) == list(range(103))
    assert [len(batch) for batch in batches] == [12] * 8 + [7]
    assert len(TrainBatches(103, 12, seed=7)) == 9


def test_order_follows_from_seed_and_epoch_alone() -> None:
    first, again, later = shares(1)[0], shares(1)[0], shares(1, epoch=4)[0]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], later[0])
    assert not np.array_equal(first[0], next(iter(TrainBatches(103, 12, seed=8))))


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_together_see_the_batches_of_one(world_size: int) -> None:
    (one,) = shares(1)
    several = shares(world_size)
    assert all(len({len(share) for share in batch}) == 1 for batch in zip(*several, strict=True))
    together = np.concatenate([np.concatenate(batch) for batch in zip(*several, strict=True)])
    # Only rows of the last batch that cannot be shared out are missing.
    assert np.array_equal(together, np.concatenate(one)[: 103 - 103 % world_size])


def test_length_is_the_number_of_batches_when_the_last_one_vanishes() -> None:
    sampler = TrainBatches(25, 12, seed=0, rank=1, world_size=2)
    assert len(sampler) == len(list(sampler)) == 2


@pytest.mark.parametrize("rows, batch_size, world_size", [(30, 7, 1), (30, 7, 2), (5, 2, 4), (9, 100, 2), (1, 1, 1)])
def test_evaluation_sees_every_row_once_in_equally_many_batches(rows: int, batch_size: int, world_size: int) -> None:
    several = [list(EvaluationBatches(rows, batch_size, rank, world_size)) for rank in range(world_size)]
    assert len({len(batches) for batches in several}) == 1
    assert all(len(share) for batches in several for share in batches)
    assert sorted(np.concatenate([np.concatenate(batches) for batches in several])) == list(range(rows))


def test_evaluation_of_one_process_is_in_order() -> None:
    rows = np.concatenate(list(EvaluationBatches(30, 7)))
    assert all(a < b for a, b in pairwise(rows))
    assert max(len(batch) for batch in EvaluationBatches(30, 7)) <= 7


def test_batches_of_like_length_hold_every_row_once_and_follow_from_seed_and_epoch():
    lengths = np.random.default_rng(0).integers(1, 60, 1000)
    batches = TrainBatches(1000, 16, seed=3, lengths=lengths)
    orders = []
    for epoch in (0, 0, 1):
        batches.set_epoch(epoch)
        drawn = list(batches)
        assert len(drawn) == len(batches) and {len(batch) for batch in drawn} <= {16, 1000 % 16}
        assert sorted(np.concatenate(drawn).tolist()) == list(range(1000))
        orders.append(np.concatenate(drawn).tolist())
    assert orders[0] == orders[1] != orders[2]
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in drawn)
    plain = TrainBatches(1000, 16, seed=3)
    at_random = sum(len(batch) * int(lengths[batch].max()) for batch in plain)
    assert padded < 1.1 * lengths.sum() < 0.8 * at_random
    # Batches of short rows do not all come first.
    means = [float(lengths[batch].mean()) for batch in drawn]
    assert means != sorted(means)
