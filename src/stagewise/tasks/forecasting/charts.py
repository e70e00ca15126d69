"""Charts of forecasts as inline SVG."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from stagewise.report.charts import Plane, ticks
from stagewise.tasks.forecasting.predictions import Floats

_DASHES = {"seasonal_naive": "5 4", "persistence": "1.5 3.5"}
"""How the lines of naive forecasts are broken, in the colour of the text."""


def example_chart(history: Floats, truth: Floats, forecast: Floats, naive: Floats, step: str, title: str) -> Markup:
    """What was looked back at, what came, and what was forecast, over the steps from the first forecast one.

    Args:
        history: the last values before the forecast, ``(h,)``.
        truth, forecast, naive: ``(H,)``; NaN in ``truth`` is left out.
        step: distance of the steps, in words.
    """
    known = truth[~np.isnan(truth)]
    everything = np.concatenate([history, known, forecast, naive])
    heights = ticks(float(everything.min()), float(everything.max()))
    before, after = -len(history), len(truth) - 1
    plane = Plane((before, max(after, 1)), (heights[0], heights[-1]))
    plane.axes([mark for mark in ticks(before, after) if before <= mark <= after], heights, f"steps of {step}")
    plane.line("ideal", 0, heights[0], 0, heights[-1])
    _path(plane, "seasonal_naive", 0, naive)
    _path(plane, "curve", before, np.concatenate([history, truth]))
    _path(plane, "curve curve2", 0, forecast)
    return plane.svg(title)


def step_chart(curves: Mapping[str, Floats], what: str) -> Markup:
    """An error of every forecaster over the steps of the forecast, counted from 1."""
    values = np.concatenate([curve[~np.isnan(curve)] for curve in curves.values()])
    heights = ticks(0.0, float(values.max()) if len(values) else 1.0)
    last = max(len(curve) for curve in curves.values())
    plane = Plane((1, max(last, 2)), (heights[0], heights[-1]))
    plane.axes([mark for mark in ticks(1, last) if 1 <= mark <= last and mark == int(mark)], heights, "steps ahead")
    for name, curve in curves.items():
        _path(plane, name if name in _DASHES else "curve curve2", 1, curve)
    return plane.svg(f"{what} by step of the forecast")


def _path(plane: Plane, style: str, first: int, values: Floats) -> None:
    """A line over neighbouring steps, broken where values are missing."""
    runs = np.split(np.arange(len(values)), np.flatnonzero(np.isnan(values)))
    for run in runs:
        points = [(float(first + place), float(values[place])) for place in run if not np.isnan(values[place])]
        if not points:
            continue
        if len(points) == 1:
            plane.dot("point point2" if "2" in style else "point", *points[0], 1.5, f"{points[0][1]:.4g}")
        elif style in _DASHES:
            places = " ".join(f"{plane.px(x)},{plane.py(y)}" for x, y in points)
            line = Markup(
                '<polyline fill="none" stroke="currentColor" stroke-opacity=".5" stroke-width="1.5" '
                'stroke-dasharray="{}" points="{}"/>'
            )
            plane.parts.append(line.format(_DASHES[style], places))
        else:
            plane.path(style, points)
