"""The words that the live table, the ranking and the page share; all text of records passes through ``clean``."""

import math
import re
from collections.abc import Mapping, Sequence

from stagewise.report.plain_text import duration
from stagewise.sweeps.output.measured import first, lacking
from stagewise.sweeps.output.noise import Comparison, against_best
from stagewise.sweeps.output.points import CONFIDENCE, Estimate, Point
from stagewise.sweeps.output.values import number as spelt_number
from stagewise.sweeps.record import Objective, Sweep, Trial, settings_of

STATES = ("finished", "running", "waiting", "stopped", "pruned", "failed")
"""In the order in which they are counted."""

MORE_SEEDS = "'seed=range(3)'"
"""As an argument of the command line."""

_LONG = 8
_ABOUT = re.compile(r"Traceback \(|The above exception|During handling|dvc\.|ERROR: failed to reproduce")
"""Lines with which DVC and Python report that something else failed."""


def number(value: float | None) -> str:
    """A figure with five significant digits, large ones as whole numbers; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.5g}"


def value(text: str) -> str:
    """A setting as it is read: four significant digits of a number that was drawn with all it has."""
    return f"{float(text):.4g}" if len(text) > _LONG and spelt_number(text) is not None else text


def estimate(found: Estimate) -> str:
    """A mean, with half of its interval where it has one, and no digits that the interval makes meaningless."""
    if found.half is None:
        return number(found.mean)
    if not 1e-9 < found.half < 1e12 or not 1e-4 <= max(abs(found.mean), found.half) < 1e12:
        return f"{number(found.mean)} ± {found.half:.2g}"
    digits = max(0, 1 - math.floor(math.log10(found.half)))
    return f"{found.mean:,.{digits}f} ± {found.half:,.{digits}f}"


def span(seconds: float | None) -> str:
    """A duration; a dash where none is known."""
    return "–" if seconds is None else duration(seconds)


def count(number: int, what: str) -> str:
    """``3 trials``, ``1 trial``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def states(found: Mapping[str, int]) -> str:
    """What became of several trials: the one state of all, or how many are in each."""
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{found[state]} {state}" for state in STATES if state in found)


def settings(chosen: Mapping[str, str], keys: Mapping[str, str]) -> list[str]:
    """``lr=0.01``, ``model=cnn``: the values of some keys under their short names."""
    return [f"{name}={value(chosen[key])}" for key, name in keys.items() if key in chosen]


def settings_or_none(trial: Trial) -> str:
    """All that a trial chose."""
    return " ".join(f"{key}={text}" for key, text in settings_of(trial).items()) or "no override"


def failure(trial: Trial) -> str:
    """Where a trial failed, and the line of its error that says why."""
    where = f" in {trial.stage}" if trial.stage else ""
    return f"failed{where}: {reason(trial)}"


def reason(trial: Trial) -> str:
    """What the failed stage itself said last, not what was said about its failing; else the last line at all."""
    lines = [line for line in trial.error.splitlines() if line.strip()]
    own = [line for line in lines if trial.stage and line.startswith(f"{trial.stage}: ")]
    plain = [line for line in lines if not line[0].isspace() and not _ABOUT.match(line)]
    return (own or plain or lines or ["no message"])[-1].strip().removeprefix(f"{trial.stage}: ")


def left_out(trial: Trial, objectives: Sequence[Objective]) -> str:
    """Why a trial that did not fail has no rank."""
    if trial.state == "finished":
        return f"finished without a finite {lacking(trial, objectives)}"
    return trial.state


def better(objective: Objective) -> str:
    """Which way is better."""
    return "lower is better" if objective.direction == "min" else "higher is better"


def stages(trials: Sequence[Trial]) -> str:
    """How many stages were executed, and how many restored."""
    became = [state for trial in trials for state in trial.stages.values()]
    ran = became.count("ran")
    return f"{count(ran, 'stage')} executed, {len(became) - ran:,} restored because they had run before"


def headline(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """How far the sweep is."""
    total = max(sweep.total or 0, len(trials))
    finished, failed = (sum(trial.state == state for trial in trials) for state in ("finished", "failed"))
    text = f"{finished} of {count(total, 'trial')} finished"
    return f"{text}, {failed} failed" if failed else text


def verdicts(points: Sequence[Point], objectives: Sequence[Objective]) -> list[str]:
    """Which differences from the best point are within noise: a sentence each."""
    if not points:
        return ["No trial finished, so there is no ranking."]
    if len(points) == 1:
        return ["Only one point finished: there is nothing to compare it with."]
    metric = first(objectives).metric
    compared = against_best(points, first(objectives))
    alone = [item.point.rank for item in compared if item.within is None]
    if len(alone) == len(compared):
        return [_one_seed(points)]
    within = [item.point.rank for item in compared if item.within]
    beyond = [item.point.rank for item in compared if item.within is False]
    said = []
    if within:
        said.append(f"Within noise of the best in {metric}, so it cannot be told which is better: {ranks(within)}.")
    else:
        said.append(f"No other point that has seeds to judge by is within noise of the best in {metric}.")
    if beyond:
        said.append(f"Different from the best beyond noise: {ranks(beyond)}.")
    if alone:
        said.append(f"One seed only, not judged: {ranks(alone)}.")
    return [*said, method(compared)]


def method(compared: Sequence[Comparison]) -> str:
    """How differences were judged."""
    used = {item.method for item in compared}
    named = [name for key, name in (("paired", "t test paired by seed"), ("welch", "Welch's t test")) if key in used]
    return f"Judged at {CONFIDENCE:.0%} by {' and '.join(named)}, with Holm's correction for all pairs of points."


def ranks(found: Sequence[int]) -> str:
    """``rank 2``, ``ranks 2, 4 to 6``."""
    runs: list[list[int]] = []
    for rank in found:
        if runs and rank == runs[-1][-1] + 1:
            runs[-1].append(rank)
        else:
            runs.append([rank])
    parts = [str(run[0]) if len(run) == 1 else f"{run[0]} {'and' if len(run) == 2 else 'to'} {run[-1]}" for run in runs]
    return f"rank{'s' if len(found) > 1 else ''} {', '.join(parts)}"


def _one_seed(points: Sequence[Point]) -> str:
    if max(point.n for point in points) > 1:
        return "The best point, or every other one, has one seed: differences from it cannot be judged."
    return f"One seed per point: differences cannot be judged. Add {MORE_SEEDS} to repeat each point."
