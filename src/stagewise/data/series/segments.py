"""Runs of steps without a gap, and which of their steps a forecast may begin with.

What keeps windows from looking ahead is decided here: an interpolated value lies on a line to a later one, so no
window ends in such a value, and none is a target. Then every input is a function of what was observed before the
first step that is forecast.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stagewise.runtime.series import Step, interpolate, times_at


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Steps of one series, one after another, all with a value for every variable.

    Attributes:
        begin: place of the first step, counted in steps from the beginning of the series.
        times: datetime64[s] ``(n,)``.
        values: float64 ``(n, V)``, finite.
        observed: bool ``(n, V)``, false where a value was interpolated.
    """

    begin: int
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    observed: NDArray[np.bool_]

    @property
    def end(self) -> int:
        """The place after the last step."""
        return self.begin + len(self.times)

    def part(self, begin: int, end: int) -> "Segment":
        """The steps from place ``begin`` until before ``end``."""
        cut = slice(begin - self.begin, end - self.begin)
        return Segment(begin, self.times[cut], self.values[cut], self.observed[cut])


def find_segments(
    places: NDArray[np.int64], times: NDArray[np.datetime64], values: NDArray[np.float64], step: Step, most: int
) -> Iterator[Segment]:
    """The segments of one series; gaps and missing values of up to ``most`` steps are interpolated.

    Args:
        places: of the rows, ascending.
        times: of the rows.
        values: ``(n, V)``, NaN where one is missing.
        step: distance of the places.
    """
    # Cut at the longer gaps first: what is laid out step by step is then never much longer than the rows.
    cuts = np.flatnonzero(np.diff(places) - 1 > most) + 1
    for rows in np.split(np.arange(len(places)), cuts):
        if len(rows):
            yield from _complete_runs(_lay_out(places[rows], times[rows], values[rows], step), most)


def forecast_begins(segment: Segment, begin: int, end: int, lookback: int, horizon: int) -> NDArray[np.int64]:
    """Places of the segment from which a forecast may begin, so that all its steps lie in [begin, end).

    The steps looked back at may lie before ``begin``. The last of them was observed, and so was some value of the
    forecast ones.
    """
    first, last = max(begin, segment.begin + lookback), min(end, segment.end) - horizon
    candidates = np.arange(first, last + 1, dtype=np.int64)
    if not len(candidates):
        return candidates
    place = candidates - segment.begin
    known = np.concatenate([[0], np.cumsum(segment.observed.any(1))])
    seen = np.asarray(segment.observed[place - 1].all(1))
    return candidates[seen & (known[place + horizon] > known[place])]


def _lay_out(
    places: NDArray[np.int64], times: NDArray[np.datetime64], values: NDArray[np.float64], step: Step
) -> tuple[int, NDArray[np.datetime64], NDArray[np.float64]]:
    """First place, times and values of all steps, NaN where there is no row."""
    count = int(places[-1] - places[0]) + 1
    if count == len(places):
        return int(places[0]), times, values
    into = places - places[0]
    regular = np.full((count, values.shape[1]), np.nan)
    regular[into] = values
    known = times_at(times[0], np.arange(count), step)
    known[into] = times
    return int(places[0]), known, regular


def _complete_runs(piece: tuple[int, NDArray[np.datetime64], NDArray[np.float64]], most: int) -> Iterator[Segment]:
    begin, times, values = piece
    filled = interpolate(values, most)
    complete = ~np.isnan(filled).any(1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], complete, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2):
        run = slice(first, last)
        yield Segment(begin + int(first), times[run], filled[run], ~np.isnan(values[run]))
