"""Candidates as points of a picture, and what all of its parts share: colours, letters, words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

# The colours of the report's page (report/page.css); blue and orange differ for every kind of eye.
INK, SOFT, LINE, ACCENT, WARM, BAND = "#1d2126", "#5f6872", "#e2e0db", "#1f5fbf", "#c2410c", "#e4edf9"
DPI = 200
"""Pixels of an inch; a point of a font is a 72nd of it."""
_LONGEST = 26
"""Letters of a name."""


@dataclass(frozen=True, slots=True)
class Point:
    """A candidate as it is drawn."""

    name: str
    bytes: int
    compressed_bytes: int
    score: float
    """The task's figure; higher is better."""
    drop: float
    drop_low: float
    drop_high: float
    """Score of the baseline minus this one, and what it may be in truth."""
    fits: bool
    """Whether it is within all limits."""
    chosen: bool
    latency_ms: float | None = None
    """Median time of a row."""

    @property
    def baseline(self) -> float:
        """Score of the baseline."""
        return self.score + self.drop

    @property
    def colour(self) -> str:
        """Of all that stands for it."""
        return WARM if self.chosen else ACCENT if self.fits else SOFT

    @property
    def ink(self) -> str:
        """Of its name."""
        return INK if self.fits else SOFT

    @property
    def short(self) -> str:
        """Its name, cut where it is very long."""
        return self.name if len(self.name) <= _LONGEST else f"{self.name[: _LONGEST - 1]}…"


def font(size: float, *, bold: bool = False) -> FontProperties:
    """The font that matplotlib brings along: one that a machine has may differ."""
    import matplotlib
    from matplotlib.font_manager import FontProperties

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return FontProperties(fname=str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size=size)


def size_words(value: float) -> str:
    """Bytes in words: 64 kB, 1.24 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= 0.9995 * factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def time_words(value: float) -> str:
    """Milliseconds in words: 0.21 ms, 22 µs."""
    return f"{value:.3g} ms" if value >= 0.1 else f"{value * 1e3:.3g} µs"
