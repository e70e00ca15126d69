"""One picture of a table: how each column is spread over the training rows, and the answer over each column."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stagewise.data.features.table_entry import ColumnEntry, TableEntry
from stagewise.data.rows import StoredRows
from stagewise.data.schema import DataSchema
from stagewise.data.tables.facts import share

MOST_COLUMNS = 60
MOST_ROWS = 100_000
"""More rows are thinned out evenly."""
_ACROSS, _WIDTH, _HEIGHT, _MARGIN, _GAP, _HEADER = 4, 280, 176, 28, 26, 96
_BINS, _BARS, _TOP, _STRIP = 28, 7, 40, 26
_INK, _GREY, _PAPER, _LINE, _BAR = "#1f2430", "#7a8190", "#ffffff", "#e4e7ec", "#9fb3c8"
_CLASSES = ("#2f6fab", "#e08a3c", "#4c9a6a", "#b5507a", "#8468b0", "#c2a93b", "#5aa9b8", "#8a6d5a")
_REST = "#c9ced6"
_LOW, _HIGH = (222, 235, 247), (8, 48, 107)


@dataclass(frozen=True, slots=True)
class _Answer:
    """How the answer is coloured: by class (``shares``), or by the mean of a number between two limits."""

    targets: NDArray[Any]
    classes: list[str] | None
    low: float = 0.0
    high: float = 1.0

    def strips(self, bins: NDArray[np.int64], count: int) -> list[list[tuple[float, str]]]:
        """For each bin shares of its length with their colours; nothing for a bin without rows."""
        rows = np.bincount(bins, minlength=count)
        if self.classes is None:
            means = np.bincount(bins, self.targets, count) / np.maximum(rows, 1)
            return [
                [(1.0, self.tint(mean))] if n else [] for mean, n in zip(means.tolist(), rows.tolist(), strict=True)
            ]
        shown = min(len(self.classes), len(_CLASSES))
        groups = np.minimum(self.targets, shown)
        table = np.bincount(bins * (shown + 1) + groups, minlength=count * (shown + 1)).reshape(count, shown + 1)
        colours = [*_CLASSES[:shown], _REST]
        return [
            [(part / n, colour) for part, colour in zip(line, colours, strict=True) if part] if n else []
            for line, n in zip(table.tolist(), rows.tolist(), strict=True)
        ]

    def tint(self, value: float) -> str:
        """The colour of a number."""
        place = min(max((value - self.low) / ((self.high - self.low) or 1.0), 0.0), 1.0)
        mixed = [round(a + place * (b - a)) for a, b in zip(_LOW, _HIGH, strict=True)]
        return "#{:02x}{:02x}{:02x}".format(*mixed)


def write_picture(schema: DataSchema, folder: Path, path: Path, copies: int = 0) -> None:
    """Draw a panel per column of the training rows in ``folder`` into the PNG ``path``.

    Of a number or date: a histogram between its 1st and 99th percentile, and beneath each bar how the answer is
    spread in it (shares of the classes, or the mean of the number to predict as a tint). Of a category: its most
    frequent values, likewise. ``copies`` of each row that follow the rows are not looked at. Equal inputs give equal
    bytes.
    """
    entry = schema.feature.narrow(TableEntry)
    rows = StoredRows(folder / schema.splits["train"].file, schema)
    count = len(rows) // (1 + copies)
    index = np.arange(0, count, max(1, -(-count // MOST_ROWS)), dtype=np.int64)
    values, answer = rows.take(index), _answer(schema, rows.take_targets(index))
    panels = list(zip(entry.columns, values.T, strict=True))[:MOST_COLUMNS]
    lines = -(-len(panels) // _ACROSS)
    across = min(len(panels), _ACROSS)
    width = max(2 * _MARGIN + across * (_WIDTH + _GAP) - _GAP, 720)
    sheet = Image.new("RGB", (width, _HEADER + lines * (_HEIGHT + _GAP) + _MARGIN - _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _head(draw, schema, entry, answer)
    for place, (column, numbers) in enumerate(panels):
        left = _MARGIN + place % _ACROSS * (_WIDTH + _GAP)
        top = _HEADER + place // _ACROSS * (_HEIGHT + _GAP)
        _panel(draw, (left, top), column, numbers, answer, entry.rows)
    sheet.save(path, format="PNG", optimize=False, compress_level=6)


def _answer(schema: DataSchema, targets: NDArray[Any]) -> _Answer:
    if schema.target.kind == "class":
        return _Answer(targets, schema.classes)
    numbers = targets.astype(np.float64)
    low, high = np.quantile(numbers, [0.05, 0.95]).tolist()
    return _Answer(numbers, None, low, high)


def _head(draw: ImageDraw.ImageDraw, schema: DataSchema, entry: TableEntry, answer: _Answer) -> None:
    small = ImageFont.load_default(size=12)
    draw.text((_MARGIN, 18), f"{_plain(schema.name, 40)}: what the network sees", _INK, ImageFont.load_default(size=22))
    draw.text((_MARGIN, 46), _subtitle(entry), _GREY, small)
    left = float(_MARGIN)
    for label, colour in _legend(schema, answer):
        draw.rectangle((left, 70, left + 11, 81), colour)
        draw.text((left + 17, 69), label, _INK, small)
        left += 17 + small.getlength(label) + 18


def _subtitle(entry: TableEntry) -> str:
    inferred = sum(column.decided == "inferred" for column in entry.columns)
    count = len(entry.columns)
    shown = f"{MOST_COLUMNS} of {count} columns" if count > MOST_COLUMNS else f"{count} columns"
    parts = [
        f"{entry.rows:,} training rows",
        shown,
        f"types of {inferred} inferred" if inferred else "all types confirmed",
    ]
    if entry.dropped:
        parts.append(f"{len(entry.dropped)} dropped")
    return "   |   ".join([*parts, "numbers from their 1st to their 99th percentile"])


def _legend(schema: DataSchema, answer: _Answer) -> Iterable[tuple[str, str]]:
    if answer.classes is not None:
        names = answer.classes[: len(_CLASSES)]
        yield from ((_plain(name, 24), colour) for name, colour in zip(names, _CLASSES, strict=False))
        if len(answer.classes) > len(_CLASSES):
            yield f"{len(answer.classes) - len(_CLASSES)} more", _REST
        return
    name = _plain(schema.target.name, 24)
    for value in (answer.low, (answer.low + answer.high) / 2, answer.high):
        yield f"mean {name} {_round(value)}", answer.tint(value)


def _panel(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    column: ColumnEntry,
    numbers: NDArray[np.float32],
    answer: _Answer,
    rows: int,
) -> None:
    left, top = at
    small = ImageFont.load_default(size=11)
    draw.line((left, top - 8, left + _WIDTH, top - 8), _LINE)
    draw.text((left, top), _plain(column.name, 34), _INK, ImageFont.load_default(size=14))
    unit = f" in {_plain(column.unit, 24)}" if column.unit else ""
    draw.text((left, top + 19), f"{column.type}{unit}, {column.decided}", _GREY, small)
    if column.missing:
        text = f"{share(column.missing, rows)} missing"
        draw.text((left + _WIDTH, top + 19), text, _GREY, small, anchor="ra")
        draw.rectangle((left + _WIDTH - 80, top + 34, left + _WIDTH, top + 36), _LINE)
        draw.rectangle((left + _WIDTH - 80, top + 34, left + _WIDTH - 80 + 80 * column.missing / rows, top + 36), _GREY)
    if column.codes:
        _bars(draw, (left, top + _TOP), column, numbers.astype(np.int64), answer)
    else:
        _histogram(draw, (left, top + _TOP), column, numbers, answer)


def _histogram(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], column: ColumnEntry, numbers: NDArray[np.float32], answer: _Answer
) -> None:
    left, top = at
    bottom = top + _HEIGHT - _TOP - _STRIP - 24
    small = ImageFont.load_default(size=11)
    low, high = (column.quantiles[1], column.quantiles[-2]) if column.quantiles else (0.0, 0.0)
    if not low < high:
        low, high = column.minimum or 0.0, column.maximum or 0.0
    places = np.clip((numbers.astype(np.float64) - low) / ((high - low) or 1.0) * _BINS, 0, _BINS - 1)
    bins = np.where(np.isnan(places), _BINS, places).astype(np.int64)
    counts = np.bincount(bins, minlength=_BINS + 1)[:_BINS]
    step = _WIDTH / _BINS
    for place, (count, strip) in enumerate(zip(counts.tolist(), answer.strips(bins, _BINS + 1), strict=False)):
        x = left + place * step
        if count:
            height = max(1, round((bottom - top - 8) * count / counts.max()))
            draw.rectangle((x, bottom - height, x + step - 2, bottom - 1), _BAR)
        y = bottom + 3.0
        for part, colour in strip:
            draw.rectangle((x, y, x + step - 2, y + part * _STRIP), colour)
            y += part * _STRIP
    for x, anchor, value in ((left, "la", low), (left + _WIDTH, "ra", high)):
        draw.text((x, bottom + _STRIP + 8), _show(value, column), _GREY, small, anchor=anchor)


def _bars(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], column: ColumnEntry, codes: NDArray[np.int64], answer: _Answer
) -> None:
    left, top = at
    small = ImageFont.load_default(size=11)
    names = ["(other)", *column.categories, *(["(missing)"] if column.missing_code else [])]
    counts = np.bincount(codes, minlength=len(names))
    ranked = [code for code in np.argsort(-counts, kind="stable").tolist() if counts[code]]
    shown = ranked if len(ranked) <= _BARS else ranked[: _BARS - 1]
    place_of = np.full(len(names), len(shown), np.int64)
    place_of[shown] = np.arange(len(shown))
    labels = [names[code] for code in shown] + [f"{len(ranked) - len(shown)} more"] * (len(shown) < len(ranked))
    bins = place_of[codes]
    totals = np.bincount(bins, minlength=len(labels))
    strips = answer.strips(bins, len(labels))
    for place, label in enumerate(labels):
        y = top + 8 + place * 17
        draw.text((left, y), _plain(label, 16), _INK, small)
        length = max(1, round(80 * int(totals[place]) / int(totals.max())))
        draw.rectangle((left + 100, y + 1, left + 100 + length, y + 11), _BAR)
        x = left + 190.0
        for part, colour in strips[place]:
            draw.rectangle((x, y + 1, x + part * (_WIDTH - 190), y + 11), colour)
            x += part * (_WIDTH - 190)


def _show(value: float, column: ColumnEntry) -> str:
    if column.type == "date":
        return str(np.datetime64(round(value), "D"))
    return _round(value)


def _round(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def _plain(text: str, most: int) -> str:
    """Text in the letters that Pillow's font has: accents are taken off, other letters become question marks."""
    decomposed = unicodedata.normalize("NFKD", " ".join(text.split()))
    letters = (letter for letter in decomposed if not unicodedata.combining(letter))
    plain = "".join(letter if " " <= letter <= "~" else "?" for letter in letters)
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."
