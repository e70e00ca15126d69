"""The page of a sweep: one file, nothing fetched, no script; equal records give equal bytes."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from stagewise.report.page import render
from stagewise.report.plain_text import clean, clean_lines
from stagewise.sweeps.output import words
from stagewise.sweeps.output.importance import importance
from stagewise.sweeps.output.measured import first, seconds
from stagewise.sweeps.output.noise import against_best
from stagewise.sweeps.output.pictures import bars, coordinates, curves_chart, front_chart, scatter
from stagewise.sweeps.output.points import CONFIDENCE, Point, mixed, rank, unranked
from stagewise.sweeps.output.values import ABSENT, columns, short, swept
from stagewise.sweeps.record import Objective, Sweep, Trial, settings_of

_FOLDER = Path(__file__).parent
_FILTERS = {
    "number": words.number,
    "value": words.value,
    "estimate": words.estimate,
    "span": words.span,
    "states": words.states,
    "better": words.better,
    "lines": clean_lines,
    "settings": settings_of,
    "all_settings": words.settings_or_none,
    "failure": words.failure,
    "seconds": seconds,
    "stages": words.stages,
}
_DRAWN = 250
"""Trials in a picture: more lines are a blot, and a page of many megabytes."""


def to_html(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """A sweep as a page that stands alone; everything but our own markup is escaped.

    Raises:
        SweepError: the sweep has no objective.
    """
    context = {"sweep": sweep, "trials": trials, **_parts(sweep, trials)}
    # What is unseen, or turns the reading direction, is spelt out wherever text of a record comes in.
    return render(_FOLDER / "page.html.jinja", context, style=_FOLDER / "page.css", filters=_FILTERS, clean=clean)


def command(sweep: Sweep) -> str:
    """The command line that started the sweep."""
    return shlex.join(["stagewise", "sweep", *sweep.arguments])


def _parts(sweep: Sweep, trials: Sequence[Trial]) -> dict[str, object]:
    """What the template cannot read off the records themselves."""
    points, objective = rank(trials, sweep.objectives), first(sweep.objectives)
    return {
        "left_out_why": words.left_out,
        "count": words.count,
        "objective": objective,
        "points": points,
        "keys": short(swept(trials)),
        "absent": ABSENT,
        "headline": words.headline(sweep, trials),
        "verdicts": words.verdicts(points, sweep.objectives),
        "judged": {item.point.rank: item for item in against_best(points, objective)},
        "importance": importance(trials, sweep.objectives),
        "mixed": mixed(points),
        "failed": [trial for trial in trials if trial.state == "failed"],
        "left_out": [trial for trial in unranked(trials, sweep.objectives) if trial.state != "failed"],
        "command": command(sweep),
        "confidence": f"{CONFIDENCE:.0%}",
        "drawn": _DRAWN,
        **_pictures(sweep.objectives, trials, points),
    }


def _pictures(objectives: Sequence[Objective], trials: Sequence[Trial], points: Sequence[Point]) -> dict[str, object]:
    ordered = [trial for point in points for trial in point.measured][:_DRAWN]
    best = {trial.id for trial in points[0].measured} if points else set()
    keys = [key for key, values in columns(ordered).items() if len(set(values)) > 1]
    drawn = {trial.id for trial in ordered}
    learned = [*ordered, *(trial for trial in trials if trial.curves and trial.id not in drawn)][:_DRAWN]
    names = dict.fromkeys(name for trial in learned for name in trial.curves)
    return {
        "coordinates": coordinates(keys, ordered, objectives, best) if len(ordered) > 1 and keys else None,
        "scatters": [(key, scatter(key, ordered, objectives[0], best)) for key in keys],
        "bars": bars,
        "fronts": [
            (other, front_chart(ordered, (objectives[0], other))) for other in (objectives[1:] if ordered else [])
        ],
        "curves": [(name, curves_chart(name, learned, best)) for name in names if name != "epoch"],
    }
