"""Charts of predicted numbers as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from stagewise.metrics.intervals import Interval
from stagewise.report.charts import Plane, ticks
from stagewise.tasks.regression.predictions import Floats

_CELLS = 36
_BARS = 31


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the prediction intervals of one level promise, and what they keep.

    Attributes:
        level: the share of rows that they promise to hold.
        half_width: half of their width, in the target's unit; the mean over the test rows where it varies.
        kept: the share of test rows that they hold.
    """

    level: float
    half_width: float
    kept: Interval


def actual_chart(targets: Floats, values: Floats, unit: str) -> Markup:
    """Predicted over actual numbers; a darker square holds more rows, the dashed line is a perfect prediction."""
    unit, (targets, values) = _scaled(unit, targets, values)
    low, high = _range(np.concatenate([targets, values]))
    marks = ticks(low, high)
    low, high = marks[0], marks[-1]
    plane = Plane((low, high), (low, high))
    plane.axes(marks, marks, _label("actual", unit))
    counts, edges, _ = np.histogram2d(
        targets.clip(low, high), values.clip(low, high), bins=_CELLS, range=((low, high), (low, high))
    )
    for column, row in zip(*np.nonzero(counts), strict=True):
        rows = int(counts[column, row])
        title = f"{rows} rows: actual from {edges[column]:.4g}, predicted from {edges[row]:.4g}"
        corners = (edges[column], edges[row], edges[column + 1], edges[row + 1])
        # The square root keeps single rows visible beside crowds.
        plane.parts.append(
            _box(plane, "point", *corners, opacity=0.12 + 0.88 * (rows / counts.max()) ** 0.5, title=title)
        )
    plane.line("ideal", low, low, high, high)
    return plane.svg("Predicted over actual")


def residual_chart(errors: Floats, unit: str) -> Markup:
    """How often each error occurs; the outermost bars also hold what lies beyond them."""
    unit, (errors,) = _scaled(unit, errors)
    edges, counts = residual_bins(errors)
    heights = ticks(0, counts.max())
    plane = Plane((edges[0], edges[-1]), (0, heights[-1]))
    marks = [mark for mark in ticks(edges[0], edges[-1]) if edges[0] <= mark <= edges[-1]]
    plane.axes(marks, heights, _label("predicted minus actual", unit))
    for low, high, rows in zip(edges, edges[1:], counts, strict=False):
        if rows:
            title = f"{rows} rows: {low:.4g} to {high:.4g}"
            plane.parts.append(_box(plane, "point", low, 0, high, rows, opacity=0.8, title=title))
    plane.line("ideal", 0, 0, 0, heights[-1])
    return plane.svg("How often each error occurs")


def coverage_chart(coverages: Sequence[Coverage]) -> Markup:
    """Share of test rows inside their interval over the share that was promised, with Wilson intervals."""
    marks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    plane = Plane((0, 1), (0, 1))
    plane.axes(marks, marks, "share that the interval promises to hold")
    plane.line("ideal", 0, 0, 1, 1)
    for one in coverages:
        plane.line("error", one.level, one.kept.low, one.level, one.kept.high)
        title = f"promises {one.level:.0%}, holds {one.kept.value:.1%} of the test rows"
        plane.dot("point point2", one.level, one.kept.value, 4, title)
    return plane.svg("Share held over share promised")


def residual_bins(errors: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Edges ``(bins + 1,)`` and counts ``(bins,)``; symmetric about 0, where the middle bin has its centre.

    The range holds 99 % of the errors; the others are counted in the outermost bins.
    """
    reach = float(np.quantile(np.abs(errors), 0.99)) or float(np.abs(errors).max()) or 1.0
    edges = np.linspace(-reach, reach, _BARS + 1)
    return edges, np.histogram(errors.clip(-reach, reach), edges)[0]


def _scaled(unit: str, *numbers: Floats) -> tuple[str, list[Floats]]:
    """Numbers in thousands, millions, ... where whole ones would not fit beside an axis, and their unit in words."""
    largest = max(float(np.abs(part).max()) for part in numbers)
    for size, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if largest >= 10 * size:
            return f"{word} {unit}".rstrip(), [part / size for part in numbers]
    return unit, list(numbers)


def _range(numbers: Floats) -> tuple[float, float]:
    """The numbers but for one in a thousand at each end, so that a stray one does not shrink all others to a spot."""
    low, high = np.quantile(numbers, [0.001, 0.999])
    return float(low), float(high)


def _label(what: str, unit: str) -> str:
    return f"{what} ({unit})" if unit else what


def _box(plane: Plane, style: str, x1: float, y1: float, x2: float, y2: float, *, opacity: float, title: str) -> Markup:
    left, right, top, bottom = (float(v) for v in (plane.px(x1), plane.px(x2), plane.py(y2), plane.py(y1)))
    shape = Markup(
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill-opacity="{:.2f}">'
        "<title>{}</title></rect>"
    )
    return shape.format(style, left, top, right - left, bottom - top, opacity, title)
