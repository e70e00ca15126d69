"""Pictures of a sweep as inline SVG; every value is also in a table or a title, and all text of records is clean."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from stagewise.report.charts import Plane
from stagewise.report.plain_text import clean, clip
from stagewise.sweeps.output import words
from stagewise.sweeps.output.pareto import pareto_trials
from stagewise.sweeps.output.values import ABSENT, Scale, metric_scale, setting_scale, short
from stagewise.sweeps.record import Objective, Trial, settings_of

_MEANS = 12
"""More values of a setting than these get no marks at their means."""
_STEP, _SIDE, _HEAD, _HEIGHT, _LABEL = 128.0, 76.0, 44.0, 330.0, 16


def scatter(key: str, trials: Sequence[Trial], objective: Objective, best: set[str]) -> Markup:
    """The objective against one setting: a dot per trial, a mark at the mean of each value where these are few.

    Args:
        key: of the setting; trials that did not set it stand beside the others.
        trials: those that count, at least one.
        best: ids of the trials to highlight.
    """
    chosen = [settings_of(trial).get(key, ABSENT) for trial in trials]
    values = [trial.metrics[objective.metric] for trial in trials]
    x, y = setting_scale(chosen), metric_scale(values)
    plane = Plane((0.0, 1.0), (0.0, 1.0))
    _axes(plane, x, y, clean(key))
    levels = list(dict.fromkeys(chosen))
    if len(levels) <= _MEANS:
        for level in levels:
            own = [value for value, text in zip(values, chosen, strict=True) if text == level]
            at, height = x.place(level), y.place(math.fsum(own) / len(own))
            plane.line("mean", at - 0.03, height, at + 0.03, height)
    for trial, text, value in zip(trials, chosen, values, strict=True):
        style = "dot best" if trial.id in best else "dot"
        plane.dot(style, x.place(text), y.place(value), 4, _title(trial, [objective]))
    return plane.svg(f"{clean(objective.metric)} against {clean(key)}")


def front_chart(trials: Sequence[Trial], objectives: tuple[Objective, Objective]) -> Markup:
    """Two objectives against each other; the trials that no other one beats in both are joined by steps."""
    x, y = (metric_scale([trial.metrics[objective.metric] for trial in trials]) for objective in objectives)
    across, up = (objective.metric for objective in objectives)
    plane = Plane((0.0, 1.0), (0.0, 1.0))
    _axes(plane, x, y, f"{clean(across)} ({words.better(objectives[0])})")
    optimal = sorted(pareto_trials(trials, objectives), key=lambda trial: trial.metrics[across])
    corners = [(x.place(trial.metrics[across]), y.place(trial.metrics[up])) for trial in optimal]
    plane.path("front", _steps(corners, objectives[0].direction == "min"))
    front = {trial.id for trial in optimal}
    for trial in trials:
        style = "dot best" if trial.id in front else "dot"
        plane.dot(style, x.place(trial.metrics[across]), y.place(trial.metrics[up]), 4, _title(trial, objectives))
    return plane.svg(f"{clean(up)} against {clean(across)}")


def curves_chart(name: str, trials: Sequence[Trial], best: set[str]) -> Markup:
    """One column of the history of all trials over epochs, the best trials' on top and bold."""
    found = {trial.id: _finite(trial.curves.get(name, [])) for trial in trials}
    values = [value for curve in found.values() for _, value in curve]
    y = metric_scale(values)
    last = max((epoch for curve in found.values() for epoch, _ in curve), default=1.0)
    x = Scale(1.0, max(last, 2.0), marks=tuple(_epochs(max(last, 2.0))))
    plane = Plane((0.0, 1.0), (0.0, 1.0))
    _axes(plane, x, y, "epoch")
    for trial in sorted(trials, key=lambda trial: trial.id in best):
        points = [(x.place(epoch), y.place(value)) for epoch, value in found[trial.id]]
        style = "run best" if trial.id in best else "run"
        if len(points) > 1:
            plane.path(style, points)
        elif points:
            plane.dot("dot best" if trial.id in best else "dot", *points[0], 3, _title(trial, []))
    return plane.svg(f"{clean(name)} of all trials, epoch by epoch")


def coordinates(
    keys: Sequence[str], trials: Sequence[Trial], objectives: Sequence[Objective], best: set[str]
) -> Markup:
    """Parallel coordinates: an axis per setting and per objective (its better end on top), a line per trial.

    Args:
        trials: those that count, best first; the better, the stronger their line.
    """
    columns = [[settings_of(trial).get(key, ABSENT) for trial in trials] for key in keys]
    scales = [setting_scale(column) for column in columns]
    heights = [[scale.place(text) for text in column] for scale, column in zip(scales, columns, strict=True)]
    named = enumerate(zip(short(keys).values(), scales, strict=True))
    axes = [_axis(n, name, scale.ticks(), scale.log) for n, (name, scale) in named]
    for n, objective in enumerate(objectives, start=len(keys)):
        values = [trial.metrics[objective.metric] for trial in trials]
        scale, turned = metric_scale(values), objective.direction == "min"
        heights.append([_turn(scale.place(value), turned) for value in values])
        ticks = [(_turn(place, turned), label) for place, label in scale.ticks()]
        axes.append(_axis(n, objective.metric, ticks, scale.log))
    lines = [_line(n, trial, [h[n] for h in heights], len(trials), objectives, best) for n, trial in enumerate(trials)]
    width = 2 * _SIDE + _STEP * (len(heights) - 1)
    head = Markup('<svg class="coordinates" width="{:g}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">')
    # Drawn in reverse, so that the best lies on top.
    shapes = [*reversed(lines), *axes]
    title = "Every trial as a line through its settings and figures"
    return head.format(width, width, _HEIGHT, title) + Markup("").join(shapes) + Markup("</svg>")


def bars(shares: dict[str, float]) -> Markup:
    """Shares of a whole as horizontal bars, and what is left of it."""
    rest = max(0.0, 1 - sum(shares.values()))
    rows = [*shares.items(), ("combinations and chance", rest)]
    height = 26 * len(rows)
    head = Markup('<svg class="bars" viewBox="0 0 640 {}" role="img" aria-label="Importance of each parameter">')
    row = Markup(
        '<text class="end" x="196" y="{}">{}</text><rect class="{}" x="204" y="{}" width="{:.1f}" height="16"/>'
        '<text class="figure" x="{:.1f}" y="{}">{}</text>'
    )
    parts = [
        row.format(
            26 * n + 17, clip(clean(name), 30), "rest" if n == len(rows) - 1 else "share",
            26 * n + 5, 380 * share, 210 + 380 * share, 26 * n + 17, f"{share:.0%}",
        )
        for n, (name, share) in enumerate(rows)
    ]  # fmt: skip
    return head.format(height) + Markup("").join(parts) + Markup("</svg>")


def _axes(plane: Plane, x: Scale, y: Scale, label: str) -> None:
    for place, text in y.ticks():
        plane.line("rule", 0.0, place, 1.0, place)
        _text(plane, "tick end", float(plane.px(0.0)) - 6, float(plane.py(place)) + 4, text)
    ticks = x.ticks()
    length = max(4, 56 // max(len(ticks), 1))
    for place, text in ticks:
        at = float(plane.px(place))
        _text(plane, "tick middle", at, float(plane.py(0.0)) + 15, clip(clean(text), length))
    plane.line("rule", 0.0, 0.0, 1.0, 0.0)
    notes = [name for name, scale in (("across", x), ("up", y)) if scale.log]
    log = f", logarithmic {' and '.join(notes)}" if notes else ""
    _text(plane, "tick middle", float(plane.px(0.5)), float(plane.py(0.0)) + 30, clip(label, 48) + log)


def _text(plane: Plane, style: str, x: float, y: float, text: str) -> None:
    plane.parts.append(Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(style, x, y, text))


def _axis(number: int, name: str, ticks: Sequence[tuple[float, str]], log: bool) -> Markup:
    x = _SIDE + number * _STEP
    parts = [
        Markup('<line class="stem" x1="{0:g}" x2="{0:g}" y1="{1:g}" y2="{2:g}"/>').format(x, _up(1.0), _up(0.0)),
        Markup('<text class="name middle" x="{:g}" y="16">{}</text>').format(x, clip(clean(name), 20)),
    ]
    if log:
        parts.append(Markup('<text class="middle" x="{:g}" y="30">logarithmic</text>').format(x))
    for place, label in ticks:
        text = clip(clean(label), _LABEL)
        parts.append(Markup('<text class="halo" x="{0:g}" y="{1:g}">{2}</text>').format(x + 5, _up(place) + 4, text))
    return Markup("").join(parts)


def _line(
    number: int, trial: Trial, heights: Sequence[float], count: int, objectives: Sequence[Objective], best: set[str]
) -> Markup:
    points = " ".join(f"{_SIDE + n * _STEP:g},{_up(height):g}" for n, height in enumerate(heights))
    style = "path best" if trial.id in best else f"path quarter{1 + 4 * number // count}"
    shape = Markup('<polyline class="{}" points="{}"><title>{}</title></polyline>')
    return shape.format(style, points, _title(trial, objectives))


def _up(place: float) -> float:
    return round(_HEIGHT - 14 - place * (_HEIGHT - 14 - _HEAD), 1)


def _turn(place: float, turned: bool) -> float:
    return 1 - place if turned else place


def _steps(corners: Sequence[tuple[float, float]], low: bool) -> list[tuple[float, float]]:
    """A staircase through corners from left to right; beyond it is what no trial reached.

    Args:
        low: lower is better across, so a trial's height holds to its right; else to its left.
    """
    points: list[tuple[float, float]] = []
    for x, y in corners:
        if points:
            points.append((x, points[-1][1]) if low else (points[-1][0], y))
        points.append((x, y))
    return points


def _finite(values: Sequence[float | None]) -> list[tuple[float, float]]:
    """(epoch, value) of the epochs that have a finite value."""
    numbered = enumerate(values, start=1)
    return [(float(epoch), value) for epoch, value in numbered if value is not None and math.isfinite(value)]


def _epochs(last: float) -> list[float]:
    step = max(1, math.ceil((last - 1) / 6))
    return [float(epoch) for epoch in range(1, int(last) + 1, step)]


def _title(trial: Trial, objectives: Sequence[Objective]) -> str:
    figures = [f"{o.metric} {words.number(trial.metrics[o.metric])}" for o in objectives]
    return clean(", ".join([trial.id, words.settings_or_none(trial), *figures]))
