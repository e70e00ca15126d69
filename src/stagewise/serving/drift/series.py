"""What Prometheus reads of drift."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stagewise.drift.monitor import Monitor, Part
from stagewise.drift.shift import Shift

COLUMNS = 32
"""Columns that have series of their own: the first of the reference, and the answers."""
_WHO = ("model", "version", "role")


class Watched(NamedTuple):
    """A version that is watched."""

    who: tuple[str, str, str]
    """Model, version, role."""
    monitor: Monitor


class DriftSeries(Collector):
    """Series of all versions that are loaded.

    Args:
        watched: gives them.
        dropped: rows that came faster than they are measured.
        labels: labels that came back, by what became of them.
    """

    def __init__(
        self, watched: Callable[[], Iterable[Watched]], dropped: Callable[[], int], labels: Callable[[], dict[str, int]]
    ) -> None:
        self._watched, self._dropped, self._labels = watched, dropped, labels

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        labels = (*_WHO, "part")
        windows = CounterMetricFamily("stagewise_drift_windows", "Windows that were judged", labels=labels)
        alarms = CounterMetricFamily("stagewise_drift_alarms", "Windows with drift", labels=labels)
        alarm = GaugeMetricFamily("stagewise_drift_alarm", "Whether the last window drifted", labels=labels)
        smallest = GaugeMetricFamily("stagewise_drift_smallest_p", "Smallest adjusted p of a window", labels=labels)
        p = GaugeMetricFamily("stagewise_drift_p", "Adjusted p of a column", labels=(*_WHO, "column"))
        psi = GaugeMetricFamily("stagewise_drift_psi", "Population stability index", labels=(*_WHO, "column"))
        accuracy = GaugeMetricFamily("stagewise_drift_accuracy", "Of the last window with labels", labels=_WHO)
        over = GaugeMetricFamily(
            "stagewise_drift_overconfidence",
            "Mean confidence minus accuracy of the last window with labels",
            labels=_WHO,
        )
        for who, monitor in self._watched():
            for name, part in monitor.parts.items():
                windows.add_metric((*who, name), part.windows)
                alarms.add_metric((*who, name), part.alarms)
                if part.judged:
                    verdict = part.judged[-1].verdict
                    alarm.add_metric((*who, name), float(verdict.alarm))
                    smallest.add_metric((*who, name), verdict.smallest)
                for shift in shown(part):
                    p.add_metric((*who, shift.name), shift.adjusted)
                    psi.add_metric((*who, shift.name), shift.psi)
                    if shift.name == "outcome.correct":
                        accuracy.add_metric(who, shift.shares[1])
                    if shift.name == "outcome.overconfidence" and shift.mean is not None:
                        over.add_metric(who, shift.mean)
        dropped = CounterMetricFamily("stagewise_drift_dropped_rows", "Rows that were not measured", self._dropped())
        feedback = CounterMetricFamily("stagewise_feedback", "Labels that came back", labels=("outcome",))
        for outcome, count in self._labels().items():
            feedback.add_metric((outcome,), count)
        yield from (windows, alarms, alarm, smallest, p, psi, accuracy, over, dropped, feedback)


def shown(part: Part) -> list[Shift]:
    """The columns of the last window that have series of their own, always the same ones."""
    if not part.judged:
        return []
    shifts = part.judged[-1].verdict.shifts
    return [shift for place, shift in enumerate(shifts) if place < COLUMNS or shift.name.startswith("answer.")][
        : 2 * COLUMNS
    ]
