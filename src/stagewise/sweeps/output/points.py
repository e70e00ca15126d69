"""Trials by point: repetitions over seeds become one mean with its interval, and points become a ranking."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped, unused-ignore]

from stagewise.sweeps.output.measured import finished, first, losses, seconds
from stagewise.sweeps.output.pareto import front
from stagewise.sweeps.output.values import SEED
from stagewise.sweeps.record import Objective, Trial, point_of, settings_of

CONFIDENCE = 0.95
"""Of every interval of a sweep."""


@dataclass(frozen=True)
class Estimate:
    """The mean of one metric over the repetitions of a point."""

    mean: float
    half: float | None
    """Half of the t interval at CONFIDENCE; None with one repetition."""


@dataclass(frozen=True)
class Point:
    """One choice of values, with all its repetitions."""

    rank: int
    """From 1, the best."""
    settings: dict[str, str]
    """Without the seed."""
    trials: tuple[Trial, ...]
    """All of them, whatever became of them."""
    measured: tuple[Trial, ...]
    """Those that count."""
    estimates: dict[str, Estimate]
    """By metric of the objectives."""
    optimal: bool
    """No other point is better in one objective without being worse in another."""

    @property
    def n(self) -> int:
        """Number of repetitions that count."""
        return len(self.measured)

    @property
    def states(self) -> dict[str, int]:
        """How many repetitions are in each state."""
        return dict(Counter(trial.state for trial in self.trials))

    @property
    def seconds(self) -> float | None:
        """Mean duration of the repetitions that count; None where none was recorded."""
        known = [spent for trial in self.measured if (spent := seconds(trial)) is not None]
        return math.fsum(known) / len(known) if known else None

    def typical(self, objective: Objective) -> Trial:
        """The repetition nearest to the mean, so that what is applied is what was promised, not a lucky seed."""
        mean = self.estimates[objective.metric].mean
        return min(self.measured, key=lambda trial: abs(trial.metrics[objective.metric] - mean))


def mixed(points: Sequence[Point]) -> bool:
    """Whether some repetition of some point has not finished, so that states are worth a column."""
    return any(point.states.keys() != {"finished"} for point in points)


def rank(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Point]:
    """The points with at least one trial that counts, best first.

    With several objectives, Pareto-optimal points come first; then the first objective decides.

    Raises:
        SweepError: there is no objective.
    """
    first(objectives)
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(point_of(trial), []).append(trial)
    drafts = [point for group in groups.values() if (point := _point(group, objectives)).measured]
    lost = [losses({name: e.mean for name, e in point.estimates.items()}, objectives) for point in drafts]
    optimal = front(lost)
    order = sorted(range(len(drafts)), key=lambda place: (not optimal[place], lost[place]))
    return [_placed(drafts[place], rank, optimal[place]) for rank, place in enumerate(order, start=1)]


def unranked(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The trials that do not count: not finished, or without a finite value of every objective."""
    counted = {trial.id for trial in finished(trials, objectives)}
    return [trial for trial in trials if trial.id not in counted]


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and half of its t interval.

    Args:
        values: at least one.
    """
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean, None)
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate(mean, error * float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)))


def _point(group: Sequence[Trial], objectives: Sequence[Objective]) -> Point:
    measured = finished(group, objectives)
    names = [objective.metric for objective in objectives] if measured else []
    estimates = {name: estimate([trial.metrics[name] for trial in measured]) for name in names}
    settings = {key: value for key, value in settings_of(group[0]).items() if key != SEED}
    return Point(0, settings, tuple(group), tuple(measured), estimates, False)


def _placed(point: Point, rank: int, optimal: bool) -> Point:
    return Point(rank, point.settings, point.trials, point.measured, point.estimates, optimal)
