"""Images of single rows: as data URIs for the page, and as a grid with captions."""

import base64
import io
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SIDE = 128
_LINE = 18
_GAP = 12
_COLUMNS = 6


def to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """A Pillow image of uint8 ``(H, W, C)`` with one or three channels."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """The pixels as a PNG inside a ``data:`` URI; large images are made smaller, so that the page stays light."""
    buffer, image = io.BytesIO(), to_image(pixels)
    image.thumbnail((2 * _SIDE, 2 * _SIDE))
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def grid(tiles: list[tuple[NDArray[np.uint8], str, str]]) -> Image.Image:
    """Draw tiles of (pixels, first line, second line), six to a row; says so when there is none."""
    font = ImageFont.load_default(13)
    columns = min(_COLUMNS, max(len(tiles), 2))
    cell = (_SIDE + _GAP, _SIDE + 2 * _LINE + _GAP)
    canvas = Image.new("RGB", (columns * cell[0] + _GAP, max(1, ceil(len(tiles) / columns)) * cell[1] + _GAP), "white")
    draw = ImageDraw.Draw(canvas)
    if not tiles:
        draw.text((_GAP, _GAP), "No mistakes to show.", "black", font)
    for number, (pixels, first, second) in enumerate(tiles):
        left, top = _GAP + number % columns * cell[0], _GAP + number // columns * cell[1]
        canvas.paste(_enlarge(to_image(pixels)), (left, top))
        draw.text((left, top + _SIDE + 3), _shorten(first, draw, font), "black", font)
        draw.text((left, top + _SIDE + 3 + _LINE), _shorten(second, draw, font), "#b42318", font)
    return canvas


def _enlarge(image: Image.Image) -> Image.Image:
    # Single pixels of a small image stay visible; a large one is made smaller smoothly.
    smaller = max(image.size) > _SIDE
    factor = _SIDE / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS if smaller else Image.Resampling.NEAREST)


def _shorten(text: str, draw: ImageDraw.ImageDraw, font: Any) -> str:
    text = " ".join(text.split())
    if draw.textlength(text, font) <= _SIDE:
        return text
    while text and draw.textlength(text + "…", font) > _SIDE:
        text = text[:-1]
    return text + "…"
