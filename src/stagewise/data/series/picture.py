"""One picture of the series, with the borders of their splits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stagewise.data.features.series_entry import SeriesEntry
from stagewise.data.schema import SPLITS, DataSchema
from stagewise.data.series.series import Series
from stagewise.runtime.series import show_time

MAX_PANELS = 12
"""Most variables, or series, that are drawn."""

Drawn = tuple[str, Series, tuple[int, int, int]]
"""Name, series, and the rows before which training, validation and test end."""

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _GAP, _HEADER, _FOOTER = 1120, 110, 150, 28, 14, 84, 40
_INK, _GREY, _PAPER, _UNUSED = "#1f2430", "#7a8190", "#ffffff", "#f3f3f1"
_BANDS = {"train": "#eaf1fb", "validation": "#fdf0e2", "test": "#e9f5ea"}
_LINES = {"train": "#1f5fbf", "validation": "#c2710c", "test": "#2c7a3f"}
_SCALE = 2  # drawn larger and made smaller, which smooths the lines


def draw_series(schema: DataSchema, series: Sequence[Drawn], path: Path) -> None:
    """Draw a panel for each variable of a single series, or for the first variable of each of several.

    At most MAX_PANELS panels; equal inputs give equal bytes.
    """
    entry = schema.feature.narrow(SeriesEntry)
    panels = _panels(series)
    height = _HEADER + len(panels) * (_HEIGHT + _GAP) + _FOOTER
    large = Image.new("RGB", (_WIDTH * _SCALE, height * _SCALE), _PAPER)
    draw = ImageDraw.Draw(large)
    for number, (_, times, values, borders) in enumerate(panels):
        _draw_panel(draw, _HEADER + number * (_HEIGHT + _GAP), times, values, borders)
    sheet = large.resize((_WIDTH, height), Image.Resampling.BOX)
    _write_texts(ImageDraw.Draw(sheet), schema, entry, panels, len(series))
    sheet.save(path, format="PNG", optimize=False, compress_level=6)


_Panel = tuple[str, NDArray[np.int64], NDArray[np.float64], tuple[int, int, int]]


def _panels(series: Sequence[Drawn]) -> list[_Panel]:
    panels: list[_Panel] = []
    if len(series) == 1:
        _, only, borders = series[0]
        for column, name in enumerate(only.variables[:MAX_PANELS]):
            panels.append((name, only.times.astype(np.int64), only.values[:, column], borders))
        return panels
    for name, one, borders in series[:MAX_PANELS]:
        panels.append((name, one.times.astype(np.int64), one.values[:, 0], borders))
    return panels


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    top: int,
    times: NDArray[np.int64],
    values: NDArray[np.float64],
    borders: tuple[int, int, int],
) -> None:
    left, width = _LEFT * _SCALE, (_WIDTH - _LEFT - _RIGHT) * _SCALE
    upper, lower = top * _SCALE, (top + _HEIGHT) * _SCALE
    x = left + (times - times[0]) / max(int(times[-1] - times[0]), 1) * width
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    y = lower - (values - low) / ((high - low) or 1.0) * (lower - upper)
    draw.rectangle((left, upper, left + width, lower), _UNUSED)
    edges = [0, *borders]
    for split, begin, end in zip(SPLITS, edges[:-1], edges[1:], strict=True):
        if begin < end:
            draw.rectangle((x[begin], upper, x[min(end, len(x) - 1)], lower), _BANDS[split])
    for split, begin, end in zip(SPLITS, edges[:-1], edges[1:], strict=True):
        # One step of the split before joins the lines.
        _draw_line(draw, x[max(begin - 1, 0) : end], y[max(begin - 1, 0) : end], _LINES[split])
    _draw_line(draw, x[max(edges[-1] - 1, 0) :], y[max(edges[-1] - 1, 0) :], "#c9ccd1")


def _draw_line(draw: ImageDraw.ImageDraw, x: NDArray[np.float64], y: NDArray[np.float64], colour: str) -> None:
    """A line that is broken where values are missing; a dense one as the range of each column of pixels."""
    runs = np.split(np.arange(len(x)), np.flatnonzero(np.isnan(y)))
    for run in runs:
        run = run[~np.isnan(y[run])]
        if len(run) == 1:
            draw.point((x[run[0]], y[run[0]]), colour)
        elif len(run) and len(run) <= 3 * (x[run[-1]] - x[run[0]]):
            draw.line(list(zip(x[run].tolist(), y[run].tolist(), strict=True)), colour, 2)
        elif len(run):
            columns = np.round(x[run]).astype(np.int64)
            starts = np.flatnonzero(np.diff(columns, prepend=columns[0] - 1))
            joined = y[run[np.maximum(starts - 1, 0)]]  # where the column before ends
            lows = np.minimum(np.minimum.reduceat(y[run], starts), joined)
            highs = np.maximum(np.maximum.reduceat(y[run], starts), joined)
            for column, low, high in zip(columns[starts].tolist(), lows.tolist(), highs.tolist(), strict=True):
                draw.line((column, low, column, high), colour, 1)


def _write_texts(
    draw: ImageDraw.ImageDraw, schema: DataSchema, entry: SeriesEntry, panels: list[_Panel], count: int
) -> None:
    title, small = ImageFont.load_default(size=22), ImageFont.load_default(size=12)
    draw.text((28, 18), f"{schema.name}: what is forecast, and how it is split by time", _INK, title)
    windows = "   ·   ".join(f"{name}: {schema.splits[name].rows:,} windows" for name in SPLITS)
    what = f"{entry.horizon} steps of {entry.step} from {entry.lookback}   ·   {windows}"
    more = f"   ·   {MAX_PANELS} of {count} series" if count > MAX_PANELS else ""
    draw.text((28, 50), what + more, _GREY, small)
    for number, (name, _, values, _) in enumerate(panels):
        top = _HEADER + number * (_HEIGHT + _GAP)
        known = values[~np.isnan(values)]
        draw.text((28, top + _HEIGHT // 2), _printable(name), _INK, small, anchor="lm")
        if len(known):
            draw.text((_LEFT - 6, top + 6), f"{known.max():.4g}", _GREY, small, anchor="rm")
            draw.text((_LEFT - 6, top + _HEIGHT - 6), f"{known.min():.4g}", _GREY, small, anchor="rm")
    _write_borders(draw, panels, small)


def _write_borders(
    draw: ImageDraw.ImageDraw, panels: list[_Panel], font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> None:
    """Names of the splits under the last panel, and the time at which each begins."""
    _, times, _, borders = panels[-1]
    y = _HEADER + len(panels) * (_HEIGHT + _GAP)
    edges = [0, *borders, len(times)]
    for split, begin, end in zip((*SPLITS, "not used"), edges[:-1], edges[1:], strict=True):
        if begin < end:
            share = (times[begin] - times[0]) / max(int(times[-1] - times[0]), 1)
            x = _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
            time = show_time(times[begin].astype("datetime64[s]"))
            draw.text((x, y), split, _LINES.get(split, _GREY), font)
            draw.text((x, y + 16), time, _GREY, font)


def _printable(name: str) -> str:
    """The name in the letters that Pillow's font has."""
    plain = name if name.isascii() and name.isprintable() else name.encode("ascii", "replace").decode()
    return plain if len(plain) <= 14 else plain[:12] + ".."
