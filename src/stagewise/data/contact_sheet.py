"""One picture of what the network will see: training images by class, augmented ones beneath."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stagewise.data.augmented import Augmenter
from stagewise.data.features.entries import ImageEntry
from stagewise.data.rows import StoredRows
from stagewise.data.schema import DataSchema

MAX_CLASSES = 20
COLUMNS = 10
_MARGIN, _GAP, _BLOCK_GAP, _HEADER = 28, 4, 14, 78
_SMALLEST, _LARGEST = 56, 112  # pixels of a tile's longer side
_INK, _GREY, _PAPER, _LINE = "#1f2430", "#7a8190", "#ffffff", "#e4e7ec"


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    images: NDArray[np.uint8]
    augmented: NDArray[np.uint8] | None


def write_contact_sheet(
    schema: DataSchema, folder: Path, path: Path, augmenter: Augmenter | None = None, copies: int = 0
) -> None:
    """Draw the first training images of each class from ``folder`` into the PNG ``path``.

    With an augmenter, each image has its augmented version (of epoch 0) beneath it; the ``copies``
    of each row that the folder holds are not shown. Small images are enlarged by a whole factor. At
    most MAX_CLASSES classes are shown. Equal inputs give equal bytes.
    """
    rows = _choose(schema, folder, augmenter, copies)
    sheet = _draw(schema, rows, augmenter is not None)
    sheet.save(path, format="PNG", optimize=False, compress_level=6)


def _choose(schema: DataSchema, folder: Path, augmenter: Augmenter | None, copies: int) -> list[_Row]:
    reader = StoredRows(folder / schema.splits["train"].file, schema)
    names = schema.classes[:MAX_CLASSES]
    originals = reader.targets[: len(reader) // (1 + copies)]
    places = [np.flatnonzero(originals == label)[:COLUMNS] for label in range(len(names))]
    index = np.concatenate(places)
    images = reader.take(index)
    changed = augmenter(images, reader.targets[index], index, 0, len(schema.classes)) if augmenter else None
    ends = np.cumsum([len(place) for place in places])
    spans = [slice(end - len(place), end) for place, end in zip(places, ends, strict=True)]
    return [
        _Row(_printable(names[label], label), images[span], None if changed is None else changed[span])
        for label, span in enumerate(spans)
    ]


def _draw(schema: DataSchema, rows: list[_Row], augmented: bool) -> Image.Image:
    width, height = _tile_size(schema)
    font, small = ImageFont.load_default(size=16), ImageFont.load_default(size=12)
    longest = max(font.getlength(row.label) for row in rows)
    left = _MARGIN + int(max(longest, small.getlength("augmented") if augmented else 0)) + 18
    columns = max(len(row.images) for row in rows)
    block = (height + _GAP) * (2 if augmented else 1) - _GAP + _BLOCK_GAP
    title, subtitle = _titles(schema, augmented)
    title_font = ImageFont.load_default(size=22)
    wanted = max(title_font.getlength(title), small.getlength(subtitle)) + 2 * _MARGIN
    size = (max(left + columns * (width + _GAP) - _GAP + _MARGIN, int(wanted)), _HEADER + len(rows) * block + _MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 20), title, _INK, title_font)
    draw.text((_MARGIN, 50), subtitle, _GREY, small)
    for number, row in enumerate(rows):
        top = _HEADER + number * block + _BLOCK_GAP
        draw.line((_MARGIN, top - _BLOCK_GAP // 2 - 1, size[0] - _MARGIN, top - _BLOCK_GAP // 2 - 1), _LINE)
        draw.text((_MARGIN, top + height // 2), row.label, _INK, font, anchor="lm")
        _paste(sheet, row.images, (left, top), (width, height))
        if row.augmented is not None:
            below = top + height + _GAP
            draw.text((_MARGIN, below + height // 2), "augmented", _GREY, small, anchor="lm")
            _paste(sheet, row.augmented, (left, below), (width, height))
    return sheet


def _titles(schema: DataSchema, augmented: bool) -> tuple[str, str]:
    height, width, channels = schema.feature.narrow(ImageEntry).shape
    classes = len(schema.classes)
    shown = f"{MAX_CLASSES} of {classes:,} classes" if classes > MAX_CLASSES else f"{classes} classes"
    kind = "grey" if channels == 1 else "RGB"
    what = f"{schema.splits['train'].rows:,} training rows   ·   {shown}   ·   {height} x {width} {kind}"
    return f"{schema.name}: what the network sees", what + ("   ·   augmented versions beneath" if augmented else "")


def _tile_size(schema: DataSchema) -> tuple[int, int]:
    """(width, height) of a tile: a whole multiple of a small image, a large one reduced."""
    height, width, _ = schema.feature.narrow(ImageEntry).shape
    longer = max(height, width)
    if longer <= _LARGEST:
        factor = max(1, -(-_SMALLEST // longer))
        return width * factor, height * factor
    return max(1, width * _LARGEST // longer), max(1, height * _LARGEST // longer)


def _paste(sheet: Image.Image, images: NDArray[np.uint8], at: tuple[int, int], size: tuple[int, int]) -> None:
    for column, pixels in enumerate(images):
        tile = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        shrinks = size[0] < tile.width
        tile = tile.resize(size, Image.Resampling.BOX if shrinks else Image.Resampling.NEAREST)
        sheet.paste(tile.convert("RGB"), (at[0] + column * (size[0] + _GAP), at[1]))


def _printable(name: str, number: int) -> str:
    """The name in the letters that Pillow's font has, without accents; the class's number where it has others."""
    decomposed = unicodedata.normalize("NFKD", name)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    if not plain.isascii() or not plain.isprintable():
        return f"class {number}"
    return plain if len(plain) <= 24 else plain[:21] + "..."
