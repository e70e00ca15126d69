"""Which points differ from the best one by more than chance between seeds explains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import stdtr  # type: ignore[import-untyped, unused-ignore]

from stagewise.sweeps.output.points import CONFIDENCE, Point
from stagewise.sweeps.output.values import SEED
from stagewise.sweeps.record import Objective, settings_of


@dataclass(frozen=True)
class Comparison:
    """A point against the best one, in the first objective."""

    point: Point
    difference: float
    """Its mean minus the best one's."""
    method: Literal["paired", "welch"] | None
    """None where one of the two has a single seed: the difference cannot be judged."""
    p: float | None
    """Two-sided, corrected; None where there is no method."""

    @property
    def within(self) -> bool | None:
        """Whether chance explains the difference; None where that cannot be judged."""
        return None if self.p is None else self.p > 1 - CONFIDENCE


def against_best(points: Sequence[Point], objective: Objective) -> list[Comparison]:
    """Every other point of a ranking against its first.

    A t test paired by seed where both have the same seeds, else Welch's. The best point is picked after looking at
    all, which makes it look better than it is; so Holm's correction counts all pairs of points, not only these.
    """
    comparisons = [_compare(points[0], point, objective.metric) for point in points[1:]]
    judged = [place for place, comparison in enumerate(comparisons) if comparison.p is not None]
    several = sum(point.n > 1 for point in points)
    corrected = holm([comparisons[place].p or 0.0 for place in judged], several * (several - 1) // 2)
    for place, p in zip(judged, corrected, strict=True):
        comparisons[place] = replace(comparisons[place], p=p)
    return comparisons


def holm(values: Sequence[float], family: int) -> list[float]:
    """Holm's step-down correction.

    Args:
        values: p values, the smallest of a family or all of it.
        family: how many hypotheses there are, at least as many as values.
    """
    corrected, highest = [0.0] * len(values), 0.0
    for step, place in enumerate(sorted(range(len(values)), key=lambda place: values[place])):
        highest = max(highest, min(1.0, (family - step) * values[place]))
        corrected[place] = highest
    return corrected


def paired_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p value of the paired t test; two or more values each."""
    gaps = np.subtract(other, one)
    return _two_sided(float(gaps.mean()), float(gaps.var(ddof=1)) / len(gaps), len(gaps) - 1)


def welch_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p value of Welch's t test; two or more values each."""
    a, b = (float(np.var(values, ddof=1)) / len(values) for values in (one, other))
    spread = a**2 / (len(one) - 1) + b**2 / (len(other) - 1)
    freedom = (a + b) ** 2 / spread if spread else 1.0
    return _two_sided(float(np.mean(other) - np.mean(one)), a + b, freedom)


def _two_sided(gap: float, variance: float, freedom: float) -> float:
    if gap == 0:
        return 1.0
    return 2 * float(stdtr(freedom, -abs(gap) / math.sqrt(variance))) if variance else 0.0


def _compare(best: Point, point: Point, metric: str) -> Comparison:
    difference = point.estimates[metric].mean - best.estimates[metric].mean
    if min(best.n, point.n) < 2:
        return Comparison(point, difference, None, None)
    one, other = _by_seed(best, metric), _by_seed(point, metric)
    # Repetitions under one seed differ in something else, so they are no pairs.
    if one.keys() == other.keys() and len(one) == best.n == point.n:
        seeds = sorted(one)
        p = paired_p([one[seed] for seed in seeds], [other[seed] for seed in seeds])
        return Comparison(point, difference, "paired", p)
    values = [[trial.metrics[metric] for trial in side.measured] for side in (best, point)]
    return Comparison(point, difference, "welch", welch_p(*values))


def _by_seed(point: Point, metric: str) -> dict[str, float]:
    return {settings_of(trial).get(SEED, ""): trial.metrics[metric] for trial in point.measured}
