"""Where the names of points go, so that none covers another."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

_DISTANCES = (1.0, 1.6, 2.4, 3.4, 4.6, 6.0, 8.0, 10.0)
_SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Right of a point first, then above it, left of it, below it, and in between."""


class Box(NamedTuple):
    """A rectangle: left, bottom, right, top."""

    left: float
    bottom: float
    right: float
    top: float

    def shared(self, other: "Box") -> float:
        """Area that two boxes have in common."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    @property
    def area(self) -> float:
        """Of the rectangle."""
        return (self.right - self.left) * (self.top - self.bottom)


def place(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    bounds: Box,
    *,
    gap: float,
    obstacles: Sequence[Box] = (),
    thin: Sequence[Box] = (),
) -> list[Box]:
    """A box of the given size for each point, within ``bounds`` and as near as can be; the first come first.

    Boxes share no area with each other, with a square of half-side ``gap`` around any point, or with ``obstacles``,
    as long as there is room; they cross ``thin`` ones (lines) only where that brings them nearer by much.
    """
    taken = [*obstacles, *(Box(x - gap, y - gap, x + gap, y + gap) for x, y in points)]
    placed: list[Box] = []
    for point, size in zip(points, sizes, strict=True):
        best = min(_around(point, size, gap), key=lambda found: _cost(found, bounds, [*taken, *placed], thin))
        placed.append(best[1])
    return placed


def _around(point: tuple[float, float], size: tuple[float, float], gap: float) -> Iterator[tuple[float, Box]]:
    """Boxes around a point with what their distance costs."""
    (x, y), (width, height) = point, size
    for distance in _DISTANCES:
        for rank, (across, up) in enumerate(_SIDES):
            reach = 1.5 * gap * distance * (0.75 if across and up else 1.0)
            left = x + across * reach + (across - 1) / 2 * width
            bottom = y + up * reach + (up - 1) / 2 * height
            yield distance + 0.05 * rank, Box(left, bottom, left + width, bottom + height)


def _cost(found: tuple[float, Box], bounds: Box, taken: Sequence[Box], thin: Sequence[Box]) -> tuple[float, float]:
    """What must not be covered, as an area; then distance and lines crossed."""
    distance, box = found
    outside = box.area - box.shared(bounds)
    crossed = sum(box.shared(line) > 0 for line in thin)
    return round(outside + sum(box.shared(other) for other in taken), 3), distance + 0.7 * crossed
