"""The distance of the steps of a series: found in its times, written down, and the season that goes with it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stagewise.runtime.series import SeriesError, Step

_DAY = 86400
_NOTATIONS = (("w", 7 * _DAY), ("d", _DAY), ("h", 3600), ("min", 60), ("s", 1))
_SHORTEST_MONTH = 28 * _DAY


def infer_step(times: Sequence[NDArray[np.datetime64]]) -> Step:
    """The most frequent distance of neighbouring times (ascending, of one or several series).

    Months where no two times are less than 28 days apart and all lie on the same day of the month, or all on its
    last day.

    Raises:
        SeriesError: no series has two different times.
    """
    gaps = np.concatenate([np.diff(series).astype(np.int64) for series in times] or [np.empty(0, np.int64)])
    gaps = gaps[gaps > 0]
    if not len(gaps):
        raise SeriesError("no series has two times")
    everything = np.concatenate(list(times))
    if gaps.min() >= _SHORTEST_MONTH and _same_day(everything):
        months = np.concatenate([np.diff(series.astype("datetime64[M]")).astype(np.int64) for series in times])
        return Step(_most_frequent(months[months > 0]), "mo")
    return Step(_most_frequent(gaps), "s")


def show_step(step: Step) -> str:
    """A step in the notation of the config."""
    if step.unit == "row":
        return "row"
    if step.unit == "mo":
        return f"{step.size}mo" if step.size % 12 else f"{step.size // 12}y"
    unit, seconds = next((unit, seconds) for unit, seconds in _NOTATIONS if step.size % seconds == 0)
    return f"{step.size // seconds}{unit}"


def usual_season(step: Step) -> int:
    """Steps of a day for steps below a day, of a week for days, of a year for weeks, months and quarters; else 1."""
    if step.unit == "row":
        return 1
    if step.unit == "mo":
        return 12 // step.size if step.size < 12 and 12 % step.size == 0 else 1
    if step.size < _DAY:
        return _DAY // step.size if _DAY % step.size == 0 else 1
    return {_DAY: 7, 7 * _DAY: 52}.get(step.size, 1)


def _same_day(times: NDArray[np.datetime64]) -> bool:
    """Whether all times lie at the same place within their month, from its beginning or from its end."""
    months = times.astype("datetime64[M]")
    begin, end = (month.astype("datetime64[s]") for month in (months, months + 1))
    return len(np.unique(times - begin)) == 1 or len(np.unique(end - times)) == 1


def _most_frequent(values: NDArray[np.int64]) -> int:
    """The most frequent value; the smallest among equally frequent ones."""
    distinct, counts = np.unique(values, return_counts=True)
    return int(distinct[counts.argmax()])
