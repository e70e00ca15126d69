"""The observer of a service: it notes what was answered, and a thread measures it."""

import asyncio
import random
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stagewise.drift.columns import Columns, said
from stagewise.drift.log import RequestLog, line_of, redactions_of
from stagewise.drift.monitor import Monitor
from stagewise.drift.options import DriftOptions, Redaction
from stagewise.drift.reference import FILE, check_reference
from stagewise.drift.shift import Verdict
from stagewise.packaging import integrity
from stagewise.packaging.predictor import PredictorError
from stagewise.serving.drift.budget import Budget
from stagewise.serving.drift.feedback import Kept
from stagewise.serving.drift.series import DriftSeries, Watched
from stagewise.serving.models import Package
from stagewise.serving.service import LOG, Answered, Service

_ROWS, _BYTES = 256, 4 * 1024**2
_BEHIND = 4
_SECONDS = 0.5


class Seen:
    """A version that answers.

    Args:
        package: of the version.
        who: model, version, role.
        options: of drift.
    """

    def __init__(self, package: Package, who: tuple[str, str, str], options: DriftOptions) -> None:
        self.package, self.who = package, who
        self.columns: Columns | None = None
        self.monitor: Monitor | None = None
        self.why = ""
        """Why there is no monitor."""
        self._drifts = False
        self.kind: str = package.schema["target"]["kind"]
        try:
            self.columns = Columns(package.schema)
            reference = check_reference(read_reference(package), self.columns)
            self.monitor = Monitor(self.columns, reference, options.window, options.alpha)
        except (ValueError, PredictorError) as error:
            self.why = integrity.told(error, 300)

    def tell(self, verdict: Verdict) -> None:
        """Write into the service's log where drift begins and ends, and not every window in between."""
        if verdict.alarm and not self._drifts:
            names = ", ".join(shift.name for shift in verdict.drifted[:5])
            LOG.warning("%s %s: drift in %s (p %.2g)", *self.who[:2], names, verdict.smallest)
        elif self._drifts and not verdict.alarm:
            LOG.info("%s %s: a window without drift again", *self.who[:2])
        self._drifts = verdict.alarm


class Batch(NamedTuple):
    """Answers that wait to be measured."""

    seen: Seen
    request_id: str
    rows: Sequence[NDArray[Any]]
    outputs: Sequence[NDArray[Any]]
    logged: bool


class Watch:
    """Watches all versions of a service. Nothing in the way of a request waits for it.

    Args:
        service: that is observed.
        options: of drift and of the log.
        redact: what every line of the log goes through, beside ``options.log_redact``.

    Raises:
        DriftError: the log cannot be written.
    """

    def __init__(self, service: Service, options: DriftOptions, redact: Redaction | None = None) -> None:
        self._service, self._options = service, options
        redactions = [*([redact] if redact else []), *redactions_of(options.log_redact)]
        self._log: RequestLog | None = None
        if options.log is not None:
            self._log = RequestLog(options.log, options.log_bytes, options.log_files, redactions)
        self.kept: Kept[Seen] = Kept(options.kept)
        self.labels = {"taken": 0, "unknown": 0, "refused": 0}
        self._budget = Budget(options.rate)
        self.dropped = 0
        self._seen: dict[Package, Seen] = {}
        self._waiting: list[Batch] = []
        self._rows = self._bytes = self._behind = 0
        self._flushing = False
        self._lock = threading.Lock()
        service.observers.append(self.observe)
        service.metrics.registry.register(DriftSeries(self.watched, lambda: self.dropped, lambda: self.labels))

    def observe(self, answered: Answered) -> None:
        """Note what was answered."""
        seen = self._seen.get(answered.package) or self._open(answered)
        if seen is None or seen.columns is None:
            return
        if seen.monitor and seen.monitor.outcomes:
            self.kept.keep(answered.request_id, seen, said(seen.kind, answered.outputs))
        logged = self._log is not None and random.random() < self._options.log_share
        if not logged and not (seen.monitor and self._budget.spend(len(answered.rows))):
            self.dropped += len(answered.rows) if seen.monitor else 0
            return
        self._waiting.append(Batch(seen, answered.request_id, answered.rows, answered.outputs, logged))
        self._rows += len(answered.rows)
        self._bytes += sum(row.nbytes for row in answered.rows)
        if self._rows >= _ROWS or self._bytes >= _BYTES:
            self.measure_soon()
        elif not self._flushing:
            self._flushing = True
            self._service.spawn(self._flush())

    def measure_soon(self) -> None:
        """Let a thread measure what waits; where threads are far behind it is dropped, and counted."""
        batches, rows = self._waiting, self._rows
        self._waiting, self._rows, self._bytes = [], 0, 0
        if not batches:
            return
        if self._behind >= _BEHIND:
            self.dropped += rows
            return
        with self._lock:
            self._behind += 1
        self._service.readers.submit(self._work, batches)

    async def settle(self) -> None:
        """Measure what waits, and wait for it."""
        self.measure_soon()
        while self._behind:
            await asyncio.sleep(0.005)

    def log_outcomes(self, seen: Seen, request_id: str, table: NDArray[np.float32]) -> None:
        """Write what a label told into the log, where there is one."""
        if self._log is not None and seen.columns is not None:
            self._write(line_of(_who(seen, request_id), "outcomes", seen.columns.outcomes, table))

    def versions(self) -> list[Seen]:
        """All versions that are loaded and have answered."""
        loaded = self._loaded()
        return [seen for package, seen in list(self._seen.items()) if package in loaded]

    def watched(self) -> list[Watched]:
        """Those of them that have a reference."""
        return [Watched(seen.who, seen.monitor) for seen in self.versions() if seen.monitor]

    async def _flush(self) -> None:
        await asyncio.sleep(_SECONDS)
        self._flushing = False
        await self.settle()

    def _loaded(self) -> set[Package]:
        return {model.package for deployment in self._service.deployments.values() for model in deployment.models}

    def _open(self, answered: Answered) -> Seen | None:
        """The version that answers for the first time; None when it is gone already."""
        loaded, package = self._loaded(), answered.package
        if package not in loaded:
            return None
        seen = Seen(package, (package.name, package.version, answered.role), self._options)
        self._seen = {one: other for one, other in self._seen.items() if one in loaded} | {package: seen}
        if seen.why and FILE in package.manifest["files"]:
            LOG.warning("%s %s: drift is not told: %s", *seen.who[:2], seen.why)
        return seen

    def _work(self, batches: list[Batch]) -> None:
        try:
            for seen in {id(batch.seen): batch.seen for batch in batches}.values():
                self._measure(seen, [batch for batch in batches if batch.seen is seen])
        except Exception:
            LOG.exception("answers could not be measured")
        finally:
            with self._lock:
                self._behind -= 1

    def _measure(self, seen: Seen, batches: list[Batch]) -> None:
        if seen.columns is None:
            return
        rows = [row for batch in batches for row in batch.rows]
        outputs = [np.concatenate(output) for output in zip(*(batch.outputs for batch in batches), strict=True)]
        table = seen.columns.table(rows, outputs)
        if seen.monitor:
            for verdict in seen.monitor.traffic.add(table):
                seen.tell(verdict)
        first = 0
        for batch in batches:
            last = first + len(batch.rows)
            if batch.logged:
                who = _who(seen, batch.request_id)
                self._write(line_of(who, "rows", seen.columns.columns, table[first:last]))
            first = last

    def _write(self, line: dict[str, Any]) -> None:
        """A line that cannot be written is counted, and the service goes on."""
        try:
            if self._log is not None:
                self._log.write(line)
        except Exception:  # the disk is full, or the redaction is not what it should be: then nothing may be written
            self._service.metrics.hooks.of().add()
            LOG.exception("a line of the log could not be written")


def read_reference(package: Package) -> Any:
    """The content of a package's reference.json.

    Raises:
        PredictorError: it has none, or it was changed.
    """
    if FILE not in package.manifest["files"]:
        raise PredictorError(f"the package has no {FILE}: it was made by an earlier version of this project")
    return integrity.parse(integrity.read_listed(package.path.resolve(), package.manifest, FILE), FILE)


def _who(seen: Seen, request_id: str) -> dict[str, str]:
    model, version, role = seen.who
    return {"id": request_id, "model": model, "version": version, "role": role}
