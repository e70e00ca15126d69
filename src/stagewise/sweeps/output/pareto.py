"""Which of several results no other one beats in everything."""

from collections.abc import Sequence

from stagewise.sweeps.output.measured import finished, losses
from stagewise.sweeps.record import Objective, Trial


def front(rows: Sequence[Sequence[float]]) -> list[bool]:
    """Whether each row is optimal: no other is at most as large everywhere and smaller somewhere."""
    return [not any(_beats(other, row) for other in rows) for row in rows]


def pareto_trials(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The finished trials that no other finished one beats, in their order."""
    measured = finished(trials, objectives)
    optimal = front([losses(trial.metrics, objectives) for trial in measured])
    return [trial for trial, keep in zip(measured, optimal, strict=True) if keep]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
