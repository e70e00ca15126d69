"""Charts as inline SVG: styled by the page's CSS classes, so they follow its light and dark mode."""

from collections.abc import Sequence
from math import ceil, floor, log10

from markupsafe import Markup

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


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers in equal steps that reach from below ``low`` to above ``high``."""
    spread = high - low or abs(high) or 1.0
    power = 10.0 ** floor(log10(spread / count))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m * count >= spread * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, max(last, first + 1) + 1)]
