"""Counters and histograms that only the event loop changes, so they need no lock: a fraction of the usual cost."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Count:
    """A number that grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def add(self, count: int = 1) -> None:
        """Let it grow."""
        self.value += count


class Spread:
    """How many values lie at or below each of some bounds.

    Args:
        bounds: ascending; values above the last are counted too.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Bounds with the number of values at or below them, as Prometheus has them."""
        names, total, found = [*map(floatToGoString, self.bounds), "+Inf"], 0, []
        for name, count in zip(names, self.counts, strict=True):
            total += count
            found.append((name, float(total)))
        return found


class Counts(Collector):
    """A counter per combination of labels."""

    def __init__(self, name: str, told: str, labels: Sequence[str]) -> None:
        self._described, self._found = (name, told, labels), dict[tuple[str, ...], Count]()

    def of(self, *labels: str) -> Count:
        """The counter of these labels."""
        found = self._found.get(labels)
        if found is None:
            found = self._found[labels] = Count()
        return found

    def collect(self) -> Iterable[Metric]:
        """For Prometheus."""
        name, told, labels = self._described
        family = CounterMetricFamily(name, told, labels=labels)
        for values, count in list(self._found.items()):
            family.add_metric(values, count.value)
        yield family


class Spreads(Collector):
    """A histogram per combination of labels."""

    def __init__(self, name: str, told: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._described, self._bounds, self._found = (name, told, labels), bounds, dict[tuple[str, ...], Spread]()

    def of(self, *labels: str) -> Spread:
        """The histogram of these labels."""
        found = self._found.get(labels)
        if found is None:
            found = self._found[labels] = Spread(self._bounds)
        return found

    def collect(self) -> Iterable[Metric]:
        """For Prometheus."""
        name, told, labels = self._described
        family = HistogramMetricFamily(name, told, labels=labels)
        for values, spread in list(self._found.items()):
            family.add_metric(values, spread.buckets(), spread.sum)
        yield family
