"""Requests that share a run of the model: a bounded queue, drained greedily by one thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stagewise.serving.options import Batching
from stagewise.serving.problems import Problem

Outputs = list[NDArray[Any]]
Run = Callable[[list[NDArray[Any]]], Outputs]
"""From rows to the graph's outputs, whose first side is the rows."""

_ALONE_SECONDS = 0.002


class Ran(NamedTuple):
    """What a request gets back: its own part of the outputs, and how long its rows had waited."""

    outputs: Outputs
    waited: float


class _Job:
    __slots__ = ("future", "result", "rows", "since")

    def __init__(self, rows: list[NDArray[Any]], future: "asyncio.Future[Ran]", since: float) -> None:
        self.rows, self.future, self.since = rows, future, since
        self.result: Ran | Exception | None = None


class Batcher:
    """Runs a model in a thread of its own; everything else happens in the event loop that made it.

    Args:
        run: called by one thread at a time.
        settings: sizes of a run and of the queue.
        patience: seconds after which a waiting request is given up.
        observe: told (rows, seconds) of every run, in the event loop.
    """

    def __init__(self, run: Run, settings: Batching, patience: float, observe: Callable[[int, float], None]) -> None:
        self._run, self._settings, self._patience, self._observe = run, settings, patience, observe
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._pending = 0
        self._seconds = 0.001  # of a row, smoothed
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Rows that wait or are being run."""
        return self._pending

    def submit(self, rows: list[NDArray[Any]]) -> "asyncio.Future[Ran]":
        """Queue the rows of a request.

        Raises:
            Problem: the queue is full.
        """
        count = len(rows)
        if self._pending + count > self._settings.queue:
            raise Problem(
                "queue-full", f"{self._pending} inputs are waiting already", retry=self._pending * self._seconds
            )
        self._pending += count
        future: asyncio.Future[Ran] = self._loop.create_future()
        self._jobs.put(_Job(rows, future, time.monotonic()))
        return future

    def run_alone(self, rows: list[NDArray[Any]]) -> Ran | None:
        """Run a request's rows here and now.

        For a request that is the only one: two threads that wake each other cost more than a small model's run.

        Returns:
            None where others wait, where it is to wait for others, or where it may hold up the event loop for long.

        Raises:
            Exception: whatever the run raises.
        """
        settings = self._settings
        if self._pending or settings.wait_ms or len(rows) > settings.rows:
            return None
        if len(rows) * self._seconds > _ALONE_SECONDS:
            return None
        began = time.monotonic()
        outputs = self._run(rows)
        self._ran(len(rows), time.monotonic() - began)
        return Ran(outputs, 0.0)

    async def close(self) -> None:
        """Finish what was queued, and end the thread."""
        self._jobs.put(None)
        while self._thread.is_alive():
            await asyncio.sleep(0.005)

    def _work(self) -> None:
        kept: _Job | None = None
        while (first := kept or self._jobs.get()) is not None:
            batch, kept, ends = self._gather(first)
            began = time.monotonic()
            self._answer([job for job in batch if self._is_wanted(job, began)], began)
            self._loop.call_soon_threadsafe(self._deliver, batch, time.monotonic() - began)
            if ends:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], _Job | None, bool]:
        """What is run together, what was taken and did not fit, and whether the queue was closed."""
        batch, count = [first], len(first.rows)
        wait = self._settings.wait_ms / 1000
        while count < self._settings.rows:
            try:
                left = first.since + wait - time.monotonic() if wait else 0.0
                job = self._jobs.get(timeout=left) if left > 0 else self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                return batch, None, True
            if count + len(job.rows) > self._settings.rows:
                return batch, job, False
            batch.append(job)
            count += len(job.rows)
        return batch, None, False

    def _is_wanted(self, job: _Job, now: float) -> bool:
        if now - job.since > self._patience:
            job.result = Problem("waited", f"it waited for more than {self._patience:g} s", retry=1)
            return False
        return not job.future.cancelled()

    def _answer(self, jobs: list[_Job], began: float) -> None:
        if not jobs:
            return
        try:
            outputs = self._chunks([row for job in jobs for row in job.rows])
        except Exception as error:  # whatever it was, it ends at the requests whose fault it may be
            if len(jobs) == 1:
                jobs[0].result = error
            else:
                for job in jobs:
                    self._answer([job], began)
            return
        for job, part in zip(jobs, _parts(outputs, jobs), strict=True):
            job.result = Ran(part, began - job.since)

    def _chunks(self, rows: list[NDArray[Any]]) -> Outputs:
        """A request alone may have more rows than a run takes."""
        most = self._settings.rows
        if len(rows) <= most:
            return self._run(rows)
        parts = [self._run(rows[begin : begin + most]) for begin in range(0, len(rows), most)]
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    def _deliver(self, batch: list[_Job], seconds: float) -> None:
        rows = sum(len(job.rows) for job in batch)
        self._pending -= rows
        self._ran(rows, seconds)
        for job in batch:
            if job.future.done():
                continue
            if isinstance(job.result, Ran):
                job.future.set_result(job.result)
            elif job.result is not None:
                job.future.set_exception(job.result)

    def _ran(self, rows: int, seconds: float) -> None:
        self._seconds += 0.1 * (seconds / rows - self._seconds)
        self._observe(rows, seconds)


def _parts(outputs: Outputs, jobs: list[_Job]) -> Iterator[Outputs]:
    begin = 0
    for job in jobs:
        end = begin + len(job.rows)
        yield [output[begin:end] for output in outputs]
        begin = end
