"""Drift of one version of a model: what it was given and answered, and how right it was, window by window."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from stagewise.drift.columns import Columns, Table
from stagewise.drift.reference import Reference
from stagewise.drift.shift import Verdict, judge
from stagewise.drift.window import Window

HISTORY = 100
"""Windows that are remembered."""
_SHOWN = 20


class Judged(NamedTuple):
    """A window that was judged."""

    ended: float
    """Seconds since 1970."""
    verdict: Verdict


class Part:
    """Windows of the inputs and answers, or of the outcomes.

    Args:
        entries: of the reference, one per column.
        rows: that the reference was made of.
        size: rows of a window.
        alpha: false-alarm rate of a window.
    """

    def __init__(self, entries: list[Mapping[str, Any]], rows: int, size: int, alpha: float) -> None:
        self.entries = entries
        self._rows, self._alpha = rows, alpha
        self.window = Window(len(entries), size)
        self.windows = self.alarms = self.seen = 0
        self._lock = threading.Lock()
        self.judged: deque[Judged] = deque(maxlen=HISTORY)

    def add(self, table: Table) -> list[Verdict]:
        """Add rows; verdicts of the windows that they filled. For any number of threads."""
        found = [judge(self.entries, self._rows, full, self._alpha) for full in self.window.add(table)]
        with self._lock:
            self.seen += len(table)
            for verdict in found:
                self.windows += 1
                self.alarms += verdict.alarm
                self.judged.append(Judged(time.time(), verdict))
        return found

    def to_dict(self) -> dict[str, Any]:
        """For /v1/drift."""
        judged = list(self.judged)
        return {
            "rows": self.seen,
            "waiting": self.window.count,
            "windows": self.windows,
            "alarms": self.alarms,
            "last": _told(judged[-1]) if judged else None,
            "history": [
                {
                    "ended": _moment(one.ended),
                    "alarm": one.verdict.alarm,
                    "smallest_p": one.verdict.smallest,
                    "drifted": [shift.name for shift in one.verdict.drifted[:_SHOWN]],
                }
                for one in judged
            ],
        }


class Monitor:
    """Compares what one version sees with its reference.

    Args:
        columns: what is measured.
        reference: of its package.
        size: rows of a window.
        alpha: false-alarm rate of a window.
    """

    def __init__(self, columns: Columns, reference: Reference, size: int, alpha: float) -> None:
        self.columns = columns
        rows = reference["rows"]
        self.traffic = Part(reference["columns"], rows, size, alpha)
        self.outcomes = Part(reference["outcomes"], rows, size, alpha) if reference["outcomes"] else None

    @property
    def parts(self) -> dict[str, Part]:
        """By the names they have in metrics."""
        found = {"traffic": self.traffic}
        return {**found, "outcomes": self.outcomes} if self.outcomes else found


def _told(judged: Judged) -> dict[str, Any]:
    verdict = judged.verdict
    return {
        "ended": _moment(judged.ended),
        "rows": verdict.rows,
        "alpha": verdict.alpha,
        "alarm": verdict.alarm,
        "drifted": [shift.name for shift in verdict.drifted],
        "columns": [
            {"name": shift.name, "p": shift.p, "adjusted_p": shift.adjusted, "psi": shift.psi, "mean": shift.mean}
            for shift in verdict.shifts
        ],
    }


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
