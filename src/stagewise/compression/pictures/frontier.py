"""The trade between size, speed and quality, in one picture: equal figures give equal bytes."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stagewise.compression.pictures.points import ACCENT, DPI, INK, SOFT, WARM, Point, font, size_words, time_words
from stagewise.compression.pictures.scatter import Across, draw_scatter
from stagewise.report.words import show, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 8.0
_SHARE = 0.64
"""Of the width, for the left panel where there are two."""


def draw_frontier(
    points: Sequence[Point], path: Path, *, figure: str, limits: Mapping[str, float], baseline: str = "fp32"
) -> None:
    """Write a PNG of figure over size, and of the size of each candidate as it is and compressed.

    Args:
        points: all candidates, of which one is ``baseline`` and one is chosen.
        path: the file to write.
        figure: name of the score, such as "accuracy".
        limits: by their names in the config; ``max_drop`` and, where there is one, ``max_bytes`` are drawn.
        baseline: name of what the others are measured against.
    """
    across = Across(lambda point: float(point.bytes), size_words, "size of the file", limits.get("max_bytes"))
    chosen, whole = _find(points, baseline)
    ratio = f", {whole.bytes / chosen.bytes:.1f} × smaller than {baseline}" if chosen.bytes < whole.bytes else ""
    with _sheet(max(3.6, 1.3 + 0.22 * len(points)), _SHARE) as (sheet, (left, right)):
        _bars(right, points)
        _head(sheet, chosen, f"{size_words(chosen.bytes)}{ratio}", (figure, baseline))
        cut = draw_scatter(left, points, across, figure, limits["max_drop"])
        _key(sheet, points, cut=cut)
        sheet.savefig(path, metadata={"Software": None})


def draw_speed(
    points: Sequence[Point], path: Path, *, figure: str, limits: Mapping[str, float], baseline: str = "fp32"
) -> None:
    """Write a PNG of figure over the time of a row; never the same twice, as times are not.

    Args:
        points: see ``draw_frontier``; those without a time are left out, ``baseline`` and the chosen one have one.
        path: the file to write.
        figure: name of the score.
        limits: by their names in the config; ``max_drop`` and, where there is one, ``max_latency_ms`` are drawn.
        baseline: name of what the others are measured against.
    """
    timed = [point for point in points if point.latency_ms]
    across = Across(_latency, time_words, "median time of a row", limits.get("max_latency_ms"))
    chosen, whole = _find(timed, baseline)
    speedup = _latency(whole) / _latency(chosen)
    ratio = f", {speedup:.1f} × as fast as {baseline}" if chosen is not whole else ""
    with _sheet(3.8, 1.0) as (sheet, (left, *_)):
        _head(sheet, chosen, f"{time_words(_latency(chosen))} for a row{ratio}", (figure, baseline))
        cut = draw_scatter(left, timed, across, figure, limits["max_drop"])
        _key(sheet, timed, cut=cut)
        sheet.savefig(path, metadata={"Software": None})


def _find(points: Sequence[Point], baseline: str) -> tuple[Point, Point]:
    """The chosen point, and that of the baseline."""
    chosen = next(point for point in points if point.chosen)
    return chosen, next(point for point in points if point.name == baseline)


@contextmanager
def _sheet(height: float, share: float) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with one or two panels, of which the left takes ``share``; no setting of the user changes it."""
    _load_matplotlib()
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.style.context("default", after_reset=True):
        sheet = Figure(figsize=(_WIDTH, height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(sheet)
        low, tall = 0.78 / height, 1 - 1.58 / height
        panels = [sheet.add_axes((0.085, low, share - 0.1, tall))]
        if share < 1:
            panels.append(sheet.add_axes((share, low, 0.985 - share, tall)))
        for panel in panels:
            panel.spines[:].set_visible(False)
            panel.tick_params(length=0)
        yield sheet, panels


def _load_matplotlib() -> None:
    """Import it so that it neither reads nor writes the folder of the user, where it keeps settings and fonts."""
    if "matplotlib" in sys.modules:
        return
    before = os.environ.get("MPLCONFIGDIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            import matplotlib.font_manager  # a run without a picture has no use for it  # noqa: F401
        finally:
            del os.environ["MPLCONFIGDIR"]
            if before is not None:
                os.environ["MPLCONFIGDIR"] = before


def _head(sheet: Figure, chosen: Point, gain: str, names: tuple[str, str]) -> None:
    """What was chosen and what it gains, in words."""
    figure, baseline = names
    height = sheet.get_figheight()
    words = f"{title(figure)} {show(figure, chosen.score)}"
    if chosen.name != baseline:
        words += f", {baseline} has {show(figure, chosen.baseline)}"
    lines = ((0.14, f"{chosen.short}: {gain}", font(12, bold=True), INK), (0.41, words, font(9.5), SOFT))
    for inches, text, letters, colour in lines:
        sheet.text(0.02, 1 - inches / height, text, fontproperties=letters, color=colour, va="top")


def _key(sheet: Figure, points: Sequence[Point], *, cut: bool) -> None:
    """What the marks mean, at the foot."""
    from matplotlib.lines import Line2D

    marks = (
        (True, WARM, WARM, "D", "chosen"),
        (any(p.fits and not p.chosen for p in points), ACCENT, ACCENT, "o", "within the limits"),
        (not all(p.fits for p in points), SOFT, "white", "o", "refused"),
        (cut, SOFT, "white", "v", "far below"),
        (any(p.drop_high > p.drop_low for p in points), SOFT, SOFT, "|", "interval"),
    )
    handles = [
        Line2D([], [], color=edge, markerfacecolor=face, marker=shape, markersize=6.5, linestyle="", label=words)
        for shown, edge, face, shape, words in marks
        if shown
    ]
    sheet.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.01, 0.0),
        ncols=len(handles),
        frameon=False,
        prop=font(8),
        labelcolor=SOFT,
        handletextpad=0.3,
        columnspacing=1.4,
    )


def _bars(panel: Axes, points: Sequence[Point]) -> None:
    """A bar per candidate, the largest above: its file, and darker what is left of it when it travels compressed."""
    ordered = sorted(points, key=lambda point: (-point.bytes, point.name))
    widest = ordered[0].bytes
    names, sizes = [], []
    for row, point in enumerate(ordered):
        style: dict[str, Any] = {"va": "center", "color": point.ink, "fontproperties": font(8.5, bold=point.chosen)}
        panel.barh(-row, point.bytes, height=0.62, color=point.colour, alpha=0.3, linewidth=0)
        panel.barh(-row, min(point.compressed_bytes, point.bytes), height=0.3, color=point.colour, linewidth=0)
        sizes.append(panel.text(point.bytes, -row, f" {size_words(point.bytes)}", ha="left", **style))
        names.append(panel.text(0, -row, f"{point.short} ", ha="right", **style))
    panel.set_xlim(0, widest)
    panel.set_ylim(min(-5.6, 0.4 - len(ordered)), 0.6)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_xlabel("dark: compressed by zstd", fontproperties=font(8.5), color=SOFT, loc="right", labelpad=15)
    before, after = (max(text.get_window_extent().width for text in texts) / (_WIDTH * DPI) for texts in (names, sizes))
    box = panel.get_position()
    panel.set_position((box.x0 + before, box.y0, max(box.width - before - after, 0.03), box.height))


def _latency(point: Point) -> float:
    return point.latency_ms or 0.0
