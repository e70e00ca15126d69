"""One picture of what the network will hear: waveforms and spectrograms of training rows."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stagewise.data.features.sound_entry import SoundEntry
from stagewise.data.rows import StoredRows
from stagewise.data.schema import DataSchema

MAX_CLASSES = 20
COLUMNS = 5
_WIDTH, _WAVE, _SPECTRUM = 168, 40, 84  # of a tile, in pixels
_MARGIN, _GAP, _BLOCK_GAP, _HEADER = 28, 8, 16, 78
_INK, _GREY, _PAPER, _LINE, _BLUE = "#1f2430", "#7a8190", "#ffffff", "#e4e7ec", "#2f6f9f"
_RAMP = np.array([[13, 17, 42], [70, 30, 110], [170, 50, 100], [240, 120, 60], [252, 230, 160]])  # quiet to loud
_SPAN = 3.0  # standard deviations about the mean that the colours cover


def write_sound_sheet(schema: DataSchema, folder: Path, path: Path, copies: int = 0) -> None:
    """Draw the first training rows of each class from ``folder`` into the PNG ``path``: waveform above spectrogram.

    The ``copies`` of each row that the folder holds are not shown. Where the target has no classes the first rows are
    drawn; at most MAX_CLASSES classes are. Equal inputs give equal bytes.
    """
    entry = schema.feature.narrow(SoundEntry)
    groups = _choose(schema, folder, copies)
    sheet = _draw(schema, entry, groups)
    sheet.save(path, format="PNG", optimize=False, compress_level=6)


def draw_recording(entry: SoundEntry, row: NDArray[np.int16]) -> Image.Image:
    """Draw one stored row: its waveform, on a scale of its own, above the spectrogram that the network sees."""
    tile = Image.new("RGB", (_WIDTH, _WAVE + _SPECTRUM), _PAPER)
    draw = ImageDraw.Draw(tile)
    loudest = max(int(np.abs(row.astype(np.int32)).max()), 1)
    middle, reach = _WAVE // 2, _WAVE // 2 - 2
    # One vertical line per pixel column, from the lowest to the highest sample in it.
    for column, part in enumerate(np.array_split(row.astype(np.float64), min(_WIDTH, len(row)))):
        high, low = middle - part.max() / loudest * reach, middle - part.min() / loudest * reach
        draw.line((column, round(high), column, round(low)), _BLUE)
    mean, std = (np.array(values)[:, None] for values in (entry.mean, entry.std))
    tile.paste(_colour((entry.log_mel()(row[None])[0] - mean) / std), (0, _WAVE))
    return tile


def _choose(schema: DataSchema, folder: Path, copies: int) -> list[tuple[str, NDArray[np.int16]]]:
    """Up to COLUMNS rows of each group, with its name."""
    rows = StoredRows(folder / schema.splits["train"].file, schema)
    originals = np.arange(len(rows) // (1 + copies), dtype=np.int64)
    classes: list[str] | None = getattr(schema.target, "classes", None)
    if classes is None:
        return [("", rows.take(originals[:COLUMNS]))]
    targets = rows.take_targets(originals)
    names = enumerate(classes[:MAX_CLASSES])
    return [(name, rows.take(originals[targets == number][:COLUMNS])) for number, name in names]


def _draw(schema: DataSchema, entry: SoundEntry, groups: list[tuple[str, NDArray[np.int16]]]) -> Image.Image:
    font, small, large = (ImageFont.load_default(size=size) for size in (16, 12, 22))
    names = [_printable(name, number) for number, (name, _) in enumerate(groups)]
    left = _MARGIN + int(max(font.getlength(name) for name in names)) + 18
    columns = max(len(rows) for _, rows in groups)
    title, subtitle = _titles(schema, entry, len(groups))
    block = _WAVE + _SPECTRUM + _BLOCK_GAP
    width = left + columns * (_WIDTH + _GAP) - _GAP + _MARGIN
    wanted = max(large.getlength(title), small.getlength(subtitle)) + 2 * _MARGIN
    sheet = Image.new("RGB", (max(width, int(wanted)), _HEADER + len(groups) * block + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 20), title, _INK, large)
    draw.text((_MARGIN, 50), subtitle, _GREY, small)
    for number, (_, rows) in enumerate(groups):
        top = _HEADER + number * block
        draw.line((_MARGIN, top, sheet.width - _MARGIN, top), _LINE)
        draw.text((_MARGIN, top + block // 2), names[number], _INK, font, anchor="lm")
        for column, row in enumerate(rows):
            sheet.paste(draw_recording(entry, row), (left + column * (_WIDTH + _GAP), top + _BLOCK_GAP // 2))
    return sheet


def _titles(schema: DataSchema, entry: SoundEntry, groups: int) -> tuple[str, str]:
    log_mel = entry.log_mel()
    classes: list[Any] | None = getattr(schema.target, "classes", None)
    shown = "" if classes is None else f"{groups} of {len(classes):,} classes   ·   "
    what = f"{schema.splits['train'].rows:,} training rows   ·   {shown}{entry.seconds:g} s at {entry.rate:,} Hz"
    frames = f"{log_mel.mels} mel bands ({log_mel.fmin:g} to {log_mel.fmax:g} Hz, upwards) x {log_mel.frames} frames"
    return f"{schema.name}: what the network hears", f"{what}   ·   {frames}"


def _colour(spectrogram: NDArray[np.float64]) -> Image.Image:
    """A standardised spectrogram (mels, frames) as a picture, low bands at the bottom."""
    place = (np.clip(spectrogram[::-1] / _SPAN, -1, 1) + 1) / 2 * (len(_RAMP) - 1)
    channels = [np.interp(place, np.arange(len(_RAMP)), _RAMP[:, channel]) for channel in range(3)]
    pixels = np.rint(np.stack(channels, axis=2)).astype(np.uint8)
    return Image.fromarray(pixels).resize((_WIDTH, _SPECTRUM), Image.Resampling.BILINEAR)


def _printable(name: str, number: int) -> str:
    """The name in the letters that Pillow's font has; the group's number where it has others."""
    if not name.isascii() or not (name.isprintable()):
        return f"class {number}"
    return name if len(name) <= 24 else name[:21] + "..."
