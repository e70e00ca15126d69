"""The panel of a picture that shows the task's figure over what a candidate costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from stagewise.compression.pictures.labels import Box, place
from stagewise.compression.pictures.points import ACCENT, BAND, DPI, LINE, SOFT, WARM, Point, font
from stagewise.report.charts import ticks
from stagewise.report.words import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

_WINDOW = 3.0
"""As many allowed drops are shown below the baseline at least; what is worse lies at the lower edge."""

Spot = tuple[float, float]

BEST = 1.0
"""No figure that candidates are compared by is higher."""


@dataclass(frozen=True, slots=True)
class Across:
    """What the horizontal axis of a scatter shows."""

    value: Callable[[Point], float]
    words: Callable[[float], str]
    name: str
    limit: float | None


def draw_scatter(panel: Axes, points: Sequence[Point], across: Across, figure: str, max_drop: float) -> bool:
    """Figure over ``across`` on a log axis, with intervals and limits; returns whether some lie below the picture."""
    reference = points[0].baseline
    bottom, top = _heights(points, reference, max_drop)
    values = [across.value(point) for point in points] + ([across.limit] if across.limit else [])
    margin = max(1.12, (max(values) / min(values)) ** 0.08)
    panel.set_xscale("log")
    panel.set_xlim(min(values) / margin, max(values) * margin)
    panel.set_ylim(bottom, top)
    _axes(panel, across, figure)
    notes = _limits(panel, across, (reference, reference - max_drop), figure)
    places = [(across.value(point), max(point.score, bottom + 0.03 * (top - bottom))) for point in points]
    front = _front([spot for point, spot in zip(points, places, strict=True) if point.score >= bottom])
    panel.plot(*zip(*front, strict=True), color=SOFT, linewidth=1, alpha=0.6, drawstyle="steps-post", zorder=2)
    for point, spot in zip(points, places, strict=True):
        _mark(panel, point, spot, cut=point.score < bottom)
    words = [f"{p.short} {show(figure, p.score)}" if p.score < bottom else p.short for p in points]
    lines = [((low, y), (high, y)) for (low, y), (high, _) in pairwise(front)]
    lines += [
        ((x, p.baseline - p.drop_high), (x, p.baseline - p.drop_low)) for p, (x, _) in zip(points, places, strict=True)
    ]
    lines += [((panel.get_xlim()[0], reference), (panel.get_xlim()[1], reference))]
    lines += [((across.limit, bottom), (across.limit, top))] if across.limit else []
    _name(panel, list(zip(points, places, words, strict=True)), notes, lines)
    return any(point.score < bottom for point in points)


def _heights(points: Sequence[Point], reference: float, max_drop: float) -> tuple[float, float]:
    """The range of the figure that is shown: one hopeless candidate does not squeeze the others together."""
    window = max([_WINDOW * max_drop or 0.02 * abs(reference), *(point.drop_high for point in points if point.fits)])
    low = max([max_drop, *(min(point.drop_high, window) for point in points if point.drop <= window)])
    high = max(0.0, *(-point.drop_low for point in points))
    cut = any(point.drop > window for point in points)
    spread = (low + high) or 0.02 * abs(reference) or 1.0
    return reference - low - (0.22 if cut else 0.1) * spread, reference + high + 0.14 * spread


def _axes(panel: Axes, across: Across, figure: str) -> None:
    """Round numbers on both axes."""
    bottom, top = panel.get_ylim()
    rows = [value for value in ticks(bottom, top) if bottom <= value <= min(top, BEST)]
    low, high = panel.get_xlim()
    columns = _steps(low, low * (high / low) ** 0.97)  # the words of one at the very end would be cut
    panel.set_yticks(rows, [show(figure, value) for value in rows], fontproperties=font(8.5), color=SOFT)
    panel.set_xticks(columns, [across.words(value) for value in columns], fontproperties=font(8.5), color=SOFT)
    panel.set_xticks([], minor=True)
    panel.grid(axis="y", color=LINE, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.set_xlabel(across.name, fontproperties=font(8.5), color=SOFT, labelpad=3)


def _limits(panel: Axes, across: Across, heights: tuple[float, float], figure: str) -> list[Text]:
    """The allowed drop as a band, the limit across as a line; returns what is written beside them."""
    reference, allowed = heights
    panel.axhspan(allowed, reference, color=BAND, zorder=0, linewidth=0)
    panel.axhline(reference, color=ACCENT, linewidth=1, zorder=1)
    notes = [
        panel.text(
            0.995, allowed, f"allowed: down to {show(figure, allowed)}", fontproperties=font(8), color=ACCENT,
            transform=panel.get_yaxis_transform(), ha="right", va="top", zorder=2,
        )
    ]  # fmt: skip
    if across.limit is not None:
        panel.axvline(across.limit, color=WARM, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        notes.append(
            panel.text(
                across.limit, 1.01, f"at most {across.words(across.limit)}", fontproperties=font(8), color=WARM,
                transform=panel.get_xaxis_transform(), ha="center", va="bottom",
            )
        )  # fmt: skip
    return notes


def _front(places: Sequence[Spot]) -> list[Spot]:
    """Those that no other beats in both, from left to right."""
    front: list[Spot] = []
    for x, y in sorted(places, key=lambda spot: (spot[0], -spot[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def _mark(panel: Axes, point: Point, spot: Spot, *, cut: bool) -> None:
    """The point, hollow where it was refused, and its interval; an arrow head where it lies below the picture."""
    x, y = spot
    if not cut and point.drop_high > point.drop_low:
        low, high = point.baseline - point.drop_high, point.baseline - point.drop_low
        panel.plot([x, x], [low, high], color=point.colour, linewidth=1.6, alpha=0.5, zorder=3)
    shape = "v" if cut else "D" if point.chosen else "o"
    panel.plot([x], [y], marker=shape, markersize=8.5 if point.chosen else 6.5, color=point.colour,
               markeredgewidth=1.4, markerfacecolor=point.colour if point.fits else "white", zorder=5)  # fmt: skip


def _name(
    panel: Axes, items: Sequence[tuple[Point, Spot, str]], notes: Sequence[Text], lines: Sequence[tuple[Spot, Spot]]
) -> None:
    """Write the names beside the points, with a thin line where one had to go further away."""
    from matplotlib.patheffects import withStroke

    items = sorted(items, key=lambda item: (not item[0].chosen, item[1]))
    halo = [withStroke(linewidth=2.5, foreground="white", alpha=0.8)]
    style: dict[str, Any] = {"path_effects": halo, "zorder": 6, "va": "bottom"}
    texts = [
        panel.text(*spot, words, fontproperties=font(8.5, bold=point.chosen), color=point.ink, **style)
        for point, spot, words in items
    ]
    pixels = [(float(x), float(y)) for x, y in panel.transData.transform([spot for _, spot, _ in items])]
    boxes = place(
        pixels,
        [(extent.width, extent.height) for extent in (text.get_window_extent() for text in texts)],
        Box(*panel.get_window_extent().extents),
        gap=0.06 * DPI,
        obstacles=[Box(*note.get_window_extent().extents) for note in notes],
        thin=[_strip(panel, ends) for ends in lines],
    )
    inverse = panel.transData.inverted()
    for text, box, (x, y) in zip(texts, boxes, pixels, strict=True):
        text.set_position(tuple(inverse.transform((box.left, box.bottom))))
        near = min(max(x, box.left), box.right), min(max(y, box.bottom), box.top)
        if math.dist(near, (x, y)) > 0.12 * DPI:
            (x1, y1), (x2, y2) = inverse.transform([(x, y), near])
            panel.plot([x1, x2], [y1, y2], color=SOFT, linewidth=0.6, zorder=4)


def _strip(panel: Axes, ends: tuple[Spot, Spot]) -> Box:
    """Where a line is drawn, in pixels."""
    (left, bottom), (right, top) = panel.transData.transform(ends)
    return Box(float(left) - 2, float(bottom) - 2, float(right) + 2, float(top) + 2)


def _steps(low: float, high: float) -> list[float]:
    """Round numbers on a log axis, at least three where there are as many."""
    found: list[float] = []
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        numbers = [factor * 10.0**power for power in powers for factor in factors]
        found = [number for number in numbers if low <= number <= high]
        if len(found) >= 3:
            break
    return found
