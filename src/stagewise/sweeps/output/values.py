"""Values of settings as trials were given them, and their places on the axis of a picture."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from stagewise.report.charts import ticks
from stagewise.sweeps.record import Trial, settings_of

SEED = "seed"
"""The key whose values make repetitions of a point, not other points."""

ABSENT = "(not set)"
"""In place of the value of a key that a trial did not set."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EDGE, _APART, _EXACT = 0.05, 0.11, 7


def number(text: str) -> int | float | None:
    """The number that a text spells, whole ones as int; None where it spells none, or none that is finite."""
    if not _NUMBER.fullmatch(text):
        return None
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    return float(text) if math.isfinite(float(text)) else None


def columns(trials: Sequence[Trial]) -> dict[str, list[str | None]]:
    """Every key that a trial set, in order of appearance, with its value in each trial; None where it is not set."""
    settings = [settings_of(trial) for trial in trials]
    keys = dict.fromkeys(key for chosen in settings for key in chosen)
    return {key: [chosen.get(key) for chosen in settings] for key in keys}


def swept(trials: Sequence[Trial]) -> list[str]:
    """The keys whose values differ between trials, without the seed."""
    return [key for key, values in columns(trials).items() if key != SEED and len(set(values)) > 1]


def short(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, as far as that tells it from the others: ``optimizer.lr`` becomes ``lr``."""
    return {key: _shortest(key, [other for other in keys if other != key]) for key in keys}


def _shortest(key: str, others: Sequence[str]) -> str:
    parts = key.split(".")
    ends = (".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1))
    return next((end for end in ends if end and not any(f".{other}".endswith(f".{end}") for other in others)), key)


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to 1: of numbers, or of categories side by side."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False
    categories: tuple[str, ...] = ()
    marks: tuple[float, ...] = ()
    """Values of the ticks of a numeric axis."""

    def place(self, value: str | float) -> float:
        """Share of the axis at which a value lies."""
        if self.categories:
            return (self.categories.index(str(value)) + 0.5) / len(self.categories)
        at, low, high = (math.log10(v) if self.log else float(v) for v in (float(value), self.low, self.high))
        # Halved, as the distance of two floats may be more than a float holds.
        share = 0.5 if high == low else (at / 2 - low / 2) / (high / 2 - low / 2)
        return _EDGE + (1 - 2 * _EDGE) * share

    def ticks(self) -> list[tuple[float, str]]:
        """(place, label) of the ticks, as many as can be read beside each other."""
        if self.categories:
            return [(self.place(name), name) for name in self.categories]
        shown: list[tuple[float, str]] = []
        for value in self.marks:
            if not shown or self.place(value) - shown[-1][0] >= _APART:
                label = f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"
                shown.append((self.place(value), label))
        return shown


def setting_scale(values: Iterable[str]) -> Scale:
    """The axis of a setting: numeric where all values are numbers, logarithmic where they are spread like that."""
    texts = list(dict.fromkeys(values))
    numbers = sorted({float(n) for text in texts if (n := number(text)) is not None})
    if any(number(text) is None for text in texts):
        return Scale(categories=tuple(sorted(texts, key=lambda text: (text == ABSENT, text))))
    log = spans_decades(numbers)
    exact = len(numbers) <= _EXACT
    return Scale(numbers[0], numbers[-1], log, marks=tuple(numbers if exact else _marks(numbers[0], numbers[-1], log)))


def metric_scale(values: Sequence[float]) -> Scale:
    """The axis of a metric: logarithmic where a few values dwarf the others, as after a training that diverged."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    log = low > 0 and high / low >= 1000
    return Scale(low, high, log, marks=tuple(_marks(low, high, log)))


def spans_decades(numbers: Sequence[float]) -> bool:
    """Whether sorted numbers reach over a decade and lie more evenly on a logarithmic axis than on a plain one."""
    if len(numbers) < 2 or numbers[0] <= 0 or numbers[-1] < 10 * numbers[0]:
        return False
    logs = [math.log10(value) for value in numbers]
    return _widest(logs) <= _widest(numbers)


def _widest(values: Sequence[float]) -> float:
    """The widest gap as a share of the whole."""
    return max(b - a for a, b in pairwise(values)) / (values[-1] - values[0])


def _marks(low: float, high: float, log: bool) -> list[float]:
    if log:
        powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        step = max(1, math.ceil(len(powers) / 6))
        return [10.0**power for power in powers][::step] if len(powers) > 1 else [low, high]
    if high == low or not math.isfinite(high - low):
        return [low, high]
    return [tick for tick in ticks(low, high) if low <= tick <= high]
