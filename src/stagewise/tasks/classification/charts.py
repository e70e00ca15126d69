"""Pictures of a classifier: how right its stated confidence is, and a class's figure with its interval."""

from collections.abc import Sequence
from math import isnan

from markupsafe import Markup

from stagewise.metrics.intervals import Interval, wilson
from stagewise.report.charts import Plane
from stagewise.tasks.classification.scores import CalibrationBin


def calibration_chart(bins: Sequence[CalibrationBin], confidence: float) -> Markup:
    """Accuracy against stated confidence with Wilson intervals; the area of a dot grows with its rows."""
    plane = Plane((0, 1), (0, 1))
    plane.axes([0, 0.2, 0.4, 0.6, 0.8, 1], [0, 0.2, 0.4, 0.6, 0.8, 1], "confidence the model states")
    plane.line("ideal", 0, 0, 1, 1)
    largest = max((b.count for b in bins), default=1) or 1
    for one in (b for b in bins if b.count):
        bounds = wilson(round(one.accuracy * one.count), one.count, confidence)
        plane.line("error", one.confidence, bounds.low, one.confidence, bounds.high)
        title = f"{one.count} rows: states {one.confidence:.1%}, {one.accuracy:.1%} right"
        plane.dot("point point2", one.confidence, one.accuracy, 2.5 + 6 * (one.count / largest) ** 0.5, title)
    return plane.svg("Accuracy against stated confidence")


def interval_dot(interval: Interval, low: float) -> Markup:
    """A dot with its interval on an axis from ``low`` to 1, for a table cell."""
    if isnan(interval.value):  # the class has no rows
        return Markup("")
    low_x, high_x, x = ((v - low) / (1 - low) * 116 + 4 for v in (interval.low, interval.high, interval.value))
    return Markup(
        '<svg class="dots" viewBox="0 0 124 14" role="img" aria-label="{:.1%} to {:.1%}">'
        '<line class="rule" x1="4" y1="7" x2="120" y2="7"/>'
        '<line class="span" x1="{:.1f}" y1="7" x2="{:.1f}" y2="7"/>'
        '<circle class="point point2" cx="{:.1f}" cy="7" r="3.5"/></svg>'
    ).format(interval.low, interval.high, low_x, high_x, x)
