"""Rows that share a run: what is gathered, what is refused, what becomes of failures."""

import asyncio
import threading

import numpy as np
import pytest

from stagewise.serving.batching import Batcher
from stagewise.serving.options import Batching
from stagewise.serving.problems import Problem

PATIENCE = 30


class Doubler:
    """Doubles numbers, and remembers the runs; a run waits for the gate."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.gate.set()

    def __call__(self, rows):
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        values = np.concatenate(rows)
        self.runs.append(values.tolist())
        if (values < 0).any():
            raise ValueError("negative")
        return [values * 2, values + 0.5]


def rows(*values: int) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


def doubled(ran) -> list[int]:
    return ran.outputs[0].tolist()


def batched(talk, patience: float = PATIENCE, **settings):
    """Run ``talk`` with a batcher and what it calls; the first run waits for the gate."""
    run = Doubler()

    async def main():
        seen = []
        batcher = Batcher(run, Batching(**settings), patience, lambda count, _: seen.append(count))
        async with asyncio.timeout(PATIENCE):
            result = await talk(batcher, run)
            await batcher.close()
        assert batcher.pending == 0
        return result, seen

    return *asyncio.run(main()), run.runs


async def held(batcher, run):
    """Keep the thread busy with a row of its own."""
    run.gate.clear()
    future = batcher.submit(rows(0))
    await asyncio.get_running_loop().run_in_executor(None, run.begun.wait, PATIENCE)
    return future


def test_what_waits_goes_together():
    async def talk(batcher, run):
        first = await held(batcher, run)
        futures = [batcher.submit(rows(*values)) for values in ((1, 2), (3,), (4, 5))]
        run.gate.set()
        return [doubled(ran) for ran in await asyncio.gather(first, *futures)]

    answers, seen, runs = batched(talk, rows=8)
    assert answers == [[0], [2, 4], [6], [8, 10]]
    assert runs == [[0], [1, 2, 3, 4, 5]]
    assert seen == [1, 5]


def test_what_does_not_fit_comes_next():
    async def talk(batcher, run):
        first = await held(batcher, run)
        futures = [batcher.submit(rows(*values)) for values in ((1, 2, 3), (4, 5), (6,), (7,))]
        run.gate.set()
        return [doubled(ran) for ran in await asyncio.gather(first, *futures)]

    answers, _, runs = batched(talk, rows=4)
    assert runs == [[0], [1, 2, 3], [4, 5, 6, 7]]
    assert answers[1:] == [[2, 4, 6], [8, 10], [12], [14]]


def test_a_large_request_is_run_in_parts():
    async def talk(batcher, _):
        return doubled(await batcher.submit(rows(*range(10))))

    answer, _, runs = batched(talk, rows=4)
    assert answer == list(range(0, 20, 2))
    assert [len(run) for run in runs] == [4, 4, 2]


def test_the_first_row_waits_for_others():
    async def talk(batcher, _):
        futures = [batcher.submit(rows(1))]
        await asyncio.sleep(0.01)
        futures.append(batcher.submit(rows(2)))
        return [doubled(ran) for ran in await asyncio.gather(*futures)]

    answers, _, runs = batched(talk, rows=2, wait_ms=PATIENCE * 1000)  # a full run waits no longer
    assert (answers, runs) == ([[2], [4]], [[1, 2]])


def test_a_full_queue_refuses_and_says_when_to_come_again():
    async def talk(batcher, run):
        first = await held(batcher, run)
        waiting = batcher.submit(rows(1, 2))
        with pytest.raises(Problem) as caught:
            batcher.submit(rows(3, 4))
        assert (caught.value.status, caught.value.kind) == (429, "queue-full")
        assert int(dict(caught.value.headers)[b"retry-after"]) >= 1
        last = batcher.submit(rows(5))
        run.gate.set()
        return [doubled(ran) for ran in await asyncio.gather(first, waiting, last)]

    answers, _, _ = batched(talk, queue=4)
    assert answers == [[0], [2, 4], [10]]


def test_a_row_that_fails_spoils_only_its_own_request():
    async def talk(batcher, run):
        first = await held(batcher, run)
        futures = [batcher.submit(rows(value)) for value in (1, -1, 2)]
        run.gate.set()
        return await asyncio.gather(first, *futures, return_exceptions=True)

    (_, good, bad, also_good), _, _ = batched(talk)
    assert (doubled(good), doubled(also_good)) == ([2], [4])
    assert isinstance(bad, ValueError)


def test_who_went_away_is_not_run():
    async def talk(batcher, run):
        first = await held(batcher, run)
        gone, there = batcher.submit(rows(1)), batcher.submit(rows(2))
        gone.cancel()
        run.gate.set()
        return [doubled(ran) for ran in await asyncio.gather(first, there)]

    _, _, runs = batched(talk)
    assert runs == [[0], [2]]


def test_who_waited_too_long_is_given_up():
    async def talk(batcher, run):
        first = await held(batcher, run)
        late = batcher.submit(rows(1))
        await asyncio.sleep(0.05)
        run.gate.set()
        return await asyncio.gather(first, late, return_exceptions=True)

    (_, late), _, runs = batched(talk, patience=0.01)
    assert (late.status, late.kind) == (503, "waited")
    assert runs == [[0]]


def test_a_lone_request_is_run_at_once():
    async def talk(batcher, _):
        return doubled(batcher.run_alone(rows(3, 4))), batcher.run_alone(rows(1, 2, 3)), batcher.pending

    result, seen, runs = batched(talk, rows=2)
    assert result == ([6, 8], None, 0)
    assert (seen, runs) == ([2], [[3, 4]])


def test_who_is_to_wait_for_others_is_not_run_alone():
    async def talk(batcher, _):
        return batcher.run_alone(rows(1))

    assert batched(talk, wait_ms=5)[0] is None


def test_nobody_is_run_past_those_who_wait():
    async def talk(batcher, run):
        first = await held(batcher, run)
        refused = batcher.run_alone(rows(2))
        run.gate.set()
        await first
        return refused, doubled(batcher.run_alone(rows(2)))

    result, _, _ = batched(talk)
    assert result == (None, [4])


def test_a_slow_model_does_not_hold_up_the_event_loop_twice():
    async def talk(batcher, run):
        run.gate.clear()
        timer = threading.Timer(0.1, run.gate.set)
        timer.start()
        found = doubled(batcher.run_alone(rows(1))), batcher.run_alone(rows(1)), doubled(await batcher.submit(rows(1)))
        timer.join()
        return found

    result, _, _ = batched(talk)
    assert result == ([2], None, [2])


def test_what_a_lone_request_raises_is_its_own():
    async def talk(batcher, _):
        with pytest.raises(ValueError, match="negative"):
            batcher.run_alone(rows(-1))
        return doubled(await batcher.submit(rows(5)))

    result, _, runs = batched(talk)
    assert result == [10]
    assert runs == [[-1], [5]]


def test_closing_finishes_what_was_queued():
    async def talk(batcher, run):
        first = await held(batcher, run)
        futures = [batcher.submit(rows(value)) for value in range(1, 6)]
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        run.gate.set()
        await closing
        return [doubled(ran) for ran in await asyncio.gather(first, *futures)]

    async def main():
        run = Doubler()
        batcher = Batcher(run, Batching(rows=2), PATIENCE, lambda *_: None)
        async with asyncio.timeout(PATIENCE):
            return await talk(batcher, run)

    assert asyncio.run(main()) == [[0], [2], [4], [6], [8], [10]]
