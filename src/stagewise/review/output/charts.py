"""Pictures of a review: learning curves laid over each other, and an interval against its margin."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from stagewise.report.charts import line_chart, ticks
from stagewise.report.plain_text import clean
from stagewise.review.output import words
from stagewise.review.record import Curve, Equivalence

RUNS = ("recorded", "reproduced", "against")
"""Order of the curves in a chart, and by it their styles."""

_WIDTH, _HEIGHT, _SIDE = 640.0, 128.0, 24.0
_TOP, _MIDDLE, _AXIS = 18.0, 54.0, 88.0


def curve_chart(curve: Curve) -> Markup:
    """The runs of one curve over epochs; the style sheet dashes the second, so that equal curves are seen as two."""
    runs = {name: _finite(getattr(curve, name)) for name in runs_of(curve)}
    epochs = max((len(values) for values in runs.values()), default=0)
    padded: dict[str, Sequence[float | None]] = {
        name: [*values, *[None] * (epochs - len(values))] for name, values in runs.items()
    }
    return line_chart(clean(curve.name), range(1, epochs + 1), padded)


def runs_of(curve: Curve) -> list[str]:
    """Names of the curves in its chart: without another revision, the two of this one."""
    return [name for name in RUNS if name != "against" or curve.against]


def interval_chart(test: Equivalence) -> Markup:
    """Both intervals of a difference (the thick one decides equivalence) over a band from -margin to +margin."""
    scale = _Scale([test.low, test.high, test.outer_low, test.outer_high, test.difference, test.margin])
    low, high = scale.at(-test.margin), scale.at(test.margin)
    parts = [
        _shape("rect", "inside", x=low, y=_TOP, width=high - low, height=_AXIS - _TOP),
        *(_shape("line", style, x1=x, x2=x, y1=_TOP, y2=_AXIS) for x, style in ((low, "edge"), (high, "edge"))),
        _shape("line", "ideal", x1=scale.at(0), x2=scale.at(0), y1=_TOP, y2=_AXIS),
        _shape("line", "outer", x1=scale.at(test.outer_low), x2=scale.at(test.outer_high), y1=_MIDDLE, y2=_MIDDLE),
        _shape("line", "inner", x1=scale.at(test.low), x2=scale.at(test.high), y1=_MIDDLE, y2=_MIDDLE),
        _shape("circle", "found", cx=scale.at(test.difference), cy=_MIDDLE, r=5),
        _text("middle", _WIDTH / 2, 14, f"margin {words.margin(test)}"),
        *scale.axis(),
        *_sides(test),
    ]
    head = Markup('<svg class="interval" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">')
    return head.format(_WIDTH, _HEIGHT, words.equivalence_in_words(test)) + Markup("").join(parts) + Markup("</svg>")


class _Scale:
    """Places of differences on an axis with zero in its middle that holds all of ``values``."""

    def __init__(self, values: Sequence[float]) -> None:
        self._reach = 1.1 * max((abs(value) for value in values if math.isfinite(value)), default=0.0) or 1.0

    def at(self, value: float) -> float:
        """Horizontal place; what is not finite lies at the end."""
        share = 0.0 if math.isnan(value) else min(max(value / self._reach, -1.0), 1.0)
        return round(_WIDTH / 2 + share * (_WIDTH / 2 - _SIDE), 1)

    def axis(self) -> list[Markup]:
        """The rule below, with ticks in points or percent."""
        parts = [_shape("line", "rule", x1=_SIDE, x2=_WIDTH - _SIDE, y1=_AXIS, y2=_AXIS)]
        for tick in ticks(-self._reach, self._reach, 6):
            if abs(tick) <= self._reach:
                parts.append(_shape("line", "rule", x1=self.at(tick), x2=self.at(tick), y1=_AXIS, y2=_AXIS + 4))
                parts.append(_text("middle", self.at(tick), _AXIS + 17, f"{100 * tick:+g}" if tick else "0"))
        return parts


def _sides(test: Equivalence) -> list[Markup]:
    """What the axis counts, and which run either side speaks for."""
    points = test.method == "tango"
    left, right = ("recorded", "reproduced") if points else ("reproduced", "recorded")
    return [
        _text("start", _SIDE, _HEIGHT - 4, f"← {left} run better"),
        _text("middle unit", _WIDTH / 2, _HEIGHT - 4, "points of accuracy" if points else "% of the mean error"),
        _text("end", _WIDTH - _SIDE, _HEIGHT - 4, f"{right} run better →"),
    ]


def _shape(kind: str, style: str, **places: float) -> Markup:
    attributes = Markup(" ").join(Markup('{}="{:g}"').format(name, value) for name, value in places.items())
    return Markup('<{} class="{}" {}/>').format(kind, style, attributes)


def _text(anchor: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="{}" x="{:g}" y="{:g}">{}</text>').format(anchor, x, y, text)


def _finite(values: Sequence[float | None]) -> list[float | None]:
    return [value if value is not None and math.isfinite(value) else None for value in values]
