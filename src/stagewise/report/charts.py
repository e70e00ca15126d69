"""Charts as inline SVG: styled by the page's CSS classes, so they follow its light and dark mode."""

from collections.abc import Sequence
from math import ceil, floor, isnan, log10

from markupsafe import Markup

from stagewise.metrics.intervals import Interval, wilson
from stagewise.tasks.classification.scores import CalibrationBin

Points = list[tuple[float, float]]
_WIDTH, _HEIGHT = 380.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 12.0, 34.0


class Plane:
    """Maps data to the drawing area and collects SVG elements.

    Args:
        x, y: the lowest and highest value on each axis.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._x, self._y = x, y
        self.parts: list[Markup] = []

    def px(self, x: float) -> str:
        """Horizontal place of a value."""
        share = (x - self._x[0]) / (self._x[1] - self._x[0])
        return f"{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def py(self, y: float) -> str:
        """Vertical place of a value."""
        share = (y - self._y[0]) / (self._y[1] - self._y[0])
        return f"{_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    def line(self, style: str, x1: float, y1: float, x2: float, y2: float) -> None:
        """Add a straight line between two points."""
        places = (style, self.px(x1), self.py(y1), self.px(x2), self.py(y2))
        self.parts.append(Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(*places))

    def dot(self, style: str, x: float, y: float, radius: float, title: str) -> None:
        """Add a circle with a title."""
        shape = Markup('<circle class="{}" cx="{}" cy="{}" r="{:.1f}"><title>{}</title></circle>')
        self.parts.append(shape.format(style, self.px(x), self.py(y), radius, title))

    def path(self, style: str, points: Points) -> None:
        """Add a line through points."""
        places = " ".join(f"{self.px(x)},{self.py(y)}" for x, y in points)
        self.parts.append(Markup('<polyline class="{}" points="{}"/>').format(style, places))

    def axes(self, x_ticks: Sequence[float], y_ticks: Sequence[float], label: str) -> None:
        """Add ticks, rules and the label of the horizontal axis."""
        for y in y_ticks:
            self.line("rule", self._x[0], y, self._x[1], y)
            place = Markup('<text class="tick end" x="{}" y="{}" dy="4">{}</text>')
            self.parts.append(place.format(_LEFT - 6, self.py(y), f"{y:g}"))
        for x in x_ticks:
            place = Markup('<text class="tick middle" x="{}" y="{}">{}</text>')
            self.parts.append(place.format(self.px(x), _HEIGHT - _BOTTOM + 15, f"{x:g}"))
        place = Markup('<text class="tick middle" x="{}" y="{}">{}</text>')
        self.parts.append(place.format((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, label))

    def svg(self, title: str) -> Markup:
        """The whole picture; ``title`` is read aloud."""
        head = Markup('<svg class="chart" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">')
        return head.format(_WIDTH, _HEIGHT, title) + Markup("").join(self.parts) + Markup("</svg>")


def line_chart(title: str, x: Sequence[float], series: dict[str, Sequence[float | None]]) -> Markup:
    """Up to four curves over epochs; a curve's style is its name's place: ``curve1`` to ``curve4``."""
    curves = [[(a, b) for a, b in zip(x, values, strict=True) if b is not None] for values in series.values()]
    heights = [y for curve in curves for _, y in curve] or [0.0]
    y_ticks = ticks(min(heights), max(heights))
    left, right = min(x, default=0.0), max(x, default=1.0)
    plane = Plane((left, right if right > left else left + 1), (y_ticks[0], y_ticks[-1]))
    plane.axes([t for t in ticks(left, right) if left <= t <= right and t == int(t)], y_ticks, "epoch")
    for number, (name, curve) in enumerate(zip(series, curves, strict=True), start=1):
        plane.path(f"curve curve{number}", curve)
        if curve:
            plane.dot(f"point point{number}", *curve[-1], 3, f"{name}: {curve[-1][1]:.4g} after the last epoch")
    return plane.svg(title)


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


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers in equal steps that reach from below ``low`` to above ``high``."""
    spread = high - low or abs(high) or 1.0
    power = 10.0 ** floor(log10(spread / count))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m * count >= spread * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, max(last, first + 1) + 1)]
