"""One picture of what the network will read: texts of each class cut into tokens, and how long they all are."""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from stagewise.data.text.lengths import Lengths

MAX_CLASSES = 20
_WIDTH, _MARGIN, _LEFT, _HEADER = 1180, 28, 150, 78
_BOX, _GAP, _PAD = 22, 4, 5  # height of a token's box, space between boxes and inside them, in pixels
_LINES = 3  # of boxes per text
_TEXT, _AFTER, _GROUP = 22, 14, 12
_BARS, _CHART = 90, 110  # most bars of the histogram, and its height
_INK, _GREY, _PAPER, _LINE = "#1f2430", "#7a8190", "#ffffff", "#e4e7ec"
_BLUE, _ORANGE, _RED = "#2f6f9f", "#d9822b", "#b3261e"
_TINTS = ("#dcebf7", "#e4f1df", "#fbeed3", "#efe3f5", "#dff1f0", "#f8e2e2")


@dataclass(frozen=True, slots=True)
class Example:
    """One text as it is tokenised.

    Attributes:
        unknown: for each token whether it is unknown.
    """

    text: str
    tokens: Sequence[str]
    unknown: Sequence[bool]


def write_text_sheet(
    title: str, subtitle: str, groups: Sequence[tuple[str, Sequence[Example]]], lengths: Lengths, path: Path
) -> None:
    """Draw the PNG ``path``: each named group's examples in boxes, and a histogram of the lengths.

    Characters that Pillow's font lacks are written without accents or as escapes. Equal inputs give equal bytes.
    """
    pages = [(_ascii(name), [_Layout(example) for example in examples]) for name, examples in groups[:MAX_CLASSES]]
    body = sum(_GROUP + sum(layout.height for layout in layouts) for _, layouts in pages)
    sheet = Image.new("RGB", (_WIDTH, _HEADER + body + _CHART + 84), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 20), _fit(_ascii(title), 22, _WIDTH - 2 * _MARGIN), _INK, _font(22))
    draw.text((_MARGIN, 50), _fit(_ascii(subtitle), 12, _WIDTH - 2 * _MARGIN), _GREY, _font(12))
    top = _HEADER
    for name, layouts in pages:
        draw.line((_MARGIN, top, _WIDTH - _MARGIN, top), _LINE)
        draw.text((_MARGIN, top + _GROUP), _fit(name, 16, _LEFT - _MARGIN - 12), _INK, _font(16))
        top += _GROUP
        for layout in layouts:
            layout.draw(draw, top)
            top += layout.height
    draw.line((_MARGIN, top, _WIDTH - _MARGIN, top), _LINE)
    _histogram(draw, lengths, top + 16)
    sheet.save(path, format="PNG", optimize=False, compress_level=6)


class _Layout:
    """Where the boxes of one example lie."""

    def __init__(self, example: Example) -> None:
        self._text = _fit(_ascii(example.text[:_WIDTH]), 13, _WIDTH - _MARGIN - _LEFT)
        self._boxes: list[tuple[int, int, int, str, str]] = []  # left, line, width, colour, token
        x, line = _LEFT, 0
        for number, (token, unknown) in enumerate(zip(example.tokens, example.unknown, strict=True)):
            shown = _fit(_ascii(token[:_WIDTH].replace("▁", "_")), 13, 320)
            width = int(_font(13).getlength(shown)) + 2 * _PAD
            if x + width > _WIDTH - _MARGIN - (60 if line == _LINES - 1 else 0):
                x, line = _LEFT if line < _LINES - 1 else x, line + 1
            if line == _LINES:
                self._boxes.append((x, _LINES - 1, 0, _GREY, f"+{len(example.tokens) - number}"))
                break
            self._boxes.append((x, line, width, _RED if unknown else _TINTS[number % len(_TINTS)], shown))
            x += width + _GAP
        lines = 1 + max((box[1] for box in self._boxes), default=0)
        self.height = _TEXT + lines * (_BOX + _GAP) + _AFTER

    def draw(self, draw: ImageDraw.ImageDraw, top: int) -> None:
        """Draw the text and, beneath it, its boxes."""
        draw.text((_LEFT, top + 2), self._text, _GREY, _font(13))
        for left, line, width, colour, token in self._boxes:
            y = top + _TEXT + line * (_BOX + _GAP)
            if width:
                draw.rectangle((left, y, left + width - 1, y + _BOX - 1), colour)
            ink = _GREY if not width else _PAPER if colour == _RED else _INK
            draw.text((left + _PAD, y + _BOX // 2), token, ink, _font(13), anchor="lm")


def _histogram(draw: ImageDraw.ImageDraw, lengths: Lengths, top: int) -> None:
    """Bars of texts per length, those that are cut in orange; the last bar holds all that are longer still."""
    longest = max(lengths.counts, default=1)
    draw.text((_MARGIN, top), _summary(lengths, longest), _INK, _font(13))
    last = min(longest, 2 * lengths.most)
    step = -(-last // _BARS)
    bars = [0] * -(-last // step)
    cut = [0] * len(bars)
    for length, count in lengths.counts.items():
        place = (min(length, last) - 1) // step
        bars[place] += count
        cut[place] += count if length > lengths.most else 0
    bottom, wide = top + 28 + _CHART, (_WIDTH - 2 * _MARGIN) / len(bars)
    for place, (count, orange) in enumerate(zip(bars, cut, strict=True)):
        left, right = _MARGIN + round(place * wide), _MARGIN + round((place + 1) * wide) - 2
        scale = _CHART / max(bars)
        for amount, colour in ((count, _BLUE), (orange, _ORANGE)):
            if amount:
                draw.rectangle((left, bottom - max(1, round(amount * scale)), max(left, right), bottom), colour)
    draw.line((_MARGIN, bottom + 1, _WIDTH - _MARGIN, bottom + 1), _GREY)
    for length, x in _ticks(last, step, wide):
        more = "+" if length == last and longest > last else ""
        draw.text((x, bottom + 6), f"{length}{more}", _GREY, _font(12), anchor="ma")


def _ticks(last: int, step: int, wide: float) -> Iterator[tuple[int, float]]:
    """Up to eight lengths evenly apart, and where the middle of their bar lies."""
    for length in sorted({max(1, round(last * part / 7)) for part in range(8)}):
        yield length, _MARGIN + ((length - 1) // step + 0.5) * wide - 1


def _summary(lengths: Lengths, longest: int) -> str:
    typical = f"median {lengths.percentile(50)}, 99 % have at most {lengths.percentile(99)}, one has {longest:,}"
    cut = f"{lengths.cut:,} ({100 * lengths.cut_share:.2f} %) are cut after {lengths.most} (orange)"
    unknown = f"{100 * lengths.unknown_share:.2f} % of all tokens are unknown (red)"
    return f"Tokens per text: {typical}   ·   {cut}   ·   {unknown}"


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


def _fit(text: str, size: int, width: int) -> str:
    """The text, cut to so many pixels."""
    font = _font(size)
    text = text[:width]  # hardly a letter is narrower than a pixel
    if font.getlength(text) <= width:
        return text
    lengths = range(len(text))
    wider = bisect_left(lengths, True, key=lambda length: font.getlength(text[:length] + "...") > width)
    return text[: max(0, wider - 1)] + "..."


def _ascii(text: str) -> str:
    """The text in the letters that the font has."""
    signs = []
    for sign in text:
        plain = sign if sign in "·…" else unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
        signs.append(plain or sign.encode("unicode_escape").decode())
    return "".join(sign if sign.isprintable() else " " for sign in signs)
