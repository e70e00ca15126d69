"""What Prometheus reads, and the figures by which versions of a model are compared."""

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from stagewise.serving.tallies import Counts, Spreads

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_WHO = ("model", "version", "role")


class Metrics:
    """All series of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = self._counts("requests", "Answered requests", ("route", "status"))
        self.problems = self._counts("problems", "Requests answered with a problem, by its kind", ("kind",))
        self.latency = self._spreads("request_seconds", "From the whole request to its answer", ("model",), SECONDS)
        self.queue = self._spreads("queue_seconds", "Waiting for the model", _WHO, SECONDS)
        self.runs = self._spreads("run_seconds", "One run of the model", _WHO, SECONDS)
        self.batches = self._spreads("batch_rows", "Rows of one run of the model", _WHO, ROWS)
        self.answers = self._counts("answers", "Inputs answered", _WHO)
        self.classes = self._counts("classes", "Inputs answered, by the most likely class", (*_WHO, "class"))
        self.confidence = self._spreads("confidence", "Probability of the most likely class", _WHO, SHARES)
        self.failures = self._counts("failures", "Inputs that a version could not answer", _WHO)
        self.compared = self._counts("shadow", "Inputs of a shadow, by how it compares", (*_WHO, "outcome"))
        self.difference = self._spreads(
            "shadow_difference", "Largest difference of a number of the answer", _WHO, (1e-6, 1e-4, 1e-3, *SHARES)
        )
        self.swaps = self._counts("swaps", "Packages read again", ("model", "outcome"))
        self.hooks = self._counts("hook_errors", "Observers of answers that failed", ())
        self.hooks.of()  # there from the start, so that its first failure is a step
        self.loaded = self._gauge("model_loaded", "Loaded packages", _WHO)
        self.waiting = self._gauge("queue_rows", "Rows that wait for a model or are being run", _WHO)
        self.busy = self._gauge("requests_in_progress", "Requests that are being answered")
        self.held = self._gauge("pending_bytes", "Bytes of all bodies that are held")
        self.ready = self._gauge("ready", "Whether the service is ready")

    def render(self, accept: str) -> tuple[bytes, str]:
        """The text of all series, and its content type, by the Accept header."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _counts(self, name: str, told: str, labels: Sequence[str]) -> Counts:
        found = Counts(f"stagewise_{name}", told, labels)
        self.registry.register(found)
        return found

    def _spreads(self, name: str, told: str, labels: Sequence[str], bounds: Sequence[float]) -> Spreads:
        found = Spreads(f"stagewise_{name}", told, labels, bounds)
        self.registry.register(found)
        return found

    def _gauge(self, name: str, told: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"stagewise_{name}", told, labels, registry=self.registry)


class VersionMetrics:
    """The series of one version of a model, looked up once, and the sums that /v1/model tells."""

    def __init__(self, metrics: Metrics, name: str, version: str, role: str, classes: Sequence[str]) -> None:
        who = (name, version, role)
        self.queue = metrics.queue.of(*who)
        self.runs = metrics.runs.of(*who)
        self.batches = metrics.batches.of(*who)
        self.answers = metrics.answers.of(*who)
        self.confidence = metrics.confidence.of(*who)
        self.failures = metrics.failures.of(*who)
        self.classes = {label: metrics.classes.of(*who, label) for label in classes}
        self.difference = metrics.difference.of(*who)
        self.outcomes = {name: metrics.compared.of(*who, name) for name in ("same", "other", "dropped", "failed")}
        self.latency = metrics.latency.of(name)
        self._loaded, self._waiting = metrics.loaded.labels(*who), metrics.waiting.labels(*who)
        self.sums = Sums()

    def come(self, waiting: Callable[[], float]) -> None:
        """The version is there."""
        self._loaded.inc()
        self._waiting.set_function(waiting)

    def go(self) -> None:
        """The version is gone."""
        self._loaded.dec()
        self._waiting.set_function(lambda: 0.0)

    def ran(self, rows: int, seconds: float) -> None:
        """A run of the model."""
        self.batches.add(rows)
        self.runs.add(seconds)
        self.sums.runs += 1
        self.sums.run_seconds += seconds

    def answered(self, answers: Sequence[Any], waited: float) -> None:
        """Answers of one request."""
        self.queue.add(waited)
        self.answers.add(len(answers))
        self.sums.answers += len(answers)
        if self.classes:
            for answer in answers:
                self.classes[answer.label].value += 1
                self.confidence.add(answer.probability)
                self.sums.confidence += answer.probability

    def failed(self, count: int) -> None:
        """Inputs that the version could not answer."""
        self.failures.add(count)
        self.sums.failures += count

    def compare(self, outcome: str, count: int = 1) -> None:
        """Inputs that a shadow was compared by."""
        self.outcomes[outcome].add(count)
        self.sums.outcomes[outcome] += count


class Sums:
    """What happened since a version was loaded."""

    def __init__(self) -> None:
        self.answers = self.failures = self.runs = 0
        self.run_seconds = self.confidence = self.difference = 0.0
        self.outcomes = {"same": 0, "other": 0, "dropped": 0, "failed": 0}

    def to_dict(self, classes: bool) -> dict[str, Any]:
        """For /v1/model; means are None where there is nothing to take them of."""
        compared = self.outcomes["same"] + self.outcomes["other"]
        found: dict[str, Any] = {
            "answers": self.answers,
            "failures": self.failures,
            "mean_run_seconds": self.run_seconds / self.runs if self.runs else None,
        }
        if classes:
            found["mean_confidence"] = self.confidence / self.answers if self.answers else None
        if any(self.outcomes.values()):
            agreed = self.outcomes["same"] / compared if compared else None
            mean = self.difference / compared if compared else None
            found["compared"] = {**self.outcomes, "agreement": agreed, "mean_difference": mean}
        return found
