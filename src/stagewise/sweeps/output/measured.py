"""What of a trial may count: validation metrics of those that finished."""

import math
from collections.abc import Mapping, Sequence

from stagewise.errors import SweepError
from stagewise.sweeps.record import Objective, Trial


def first(objectives: Sequence[Objective]) -> Objective:
    """The objective that ranks.

    Raises:
        SweepError: there is none.
    """
    if not objectives:
        raise SweepError("This sweep has no objective, so nothing can be ranked.", where="objectives of its record")
    return objectives[0]


def finished(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """The trials that count: finished, and with a finite value of every objective.

    A record holds figures of training and validation only, so the test split cannot choose.
    """
    return [trial for trial in trials if trial.state == "finished" and lacking(trial, objectives) is None]


def lacking(trial: Trial, objectives: Sequence[Objective]) -> str | None:
    """The first objective of which a trial has no finite value; None if it has all."""
    return next((o.metric for o in objectives if not math.isfinite(trial.metrics.get(o.metric, math.nan))), None)


def losses(metrics: Mapping[str, float], objectives: Sequence[Objective]) -> list[float]:
    """The values of the objectives, turned such that lower is better."""
    return [metrics[o.metric] if o.direction == "min" else -metrics[o.metric] for o in objectives]


def seconds(trial: Trial) -> float | None:
    """From the start of a trial to its end; None while it has none."""
    return trial.ended - trial.started if trial.started and trial.ended >= trial.started else None
