"""The page of a sweep: one file, nothing fetched, no script; equal records give equal bytes."""

import base64
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from stagewise.report import page as report
from stagewise.sweeps.output import words
from stagewise.sweeps.output.importance import importance
from stagewise.sweeps.output.measured import first, seconds
from stagewise.sweeps.output.noise import against_best
from stagewise.sweeps.output.pictures import bars, coordinates, curves_chart, front_chart, scatter
from stagewise.sweeps.output.points import CONFIDENCE, Point, rank, unranked
from stagewise.sweeps.output.values import ABSENT, columns, short, swept
from stagewise.sweeps.record import Objective, Sweep, Trial, settings_of

_FOLDER = Path(__file__).parent
_STYLES = (Path(report.__file__).parent / "page.css", _FOLDER / "page.css")
_DRAWN = 250
"""Trials in a picture: more lines are a blot, and a page of many megabytes."""


def to_html(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """A sweep as a page that stands alone; everything but our own markup is escaped.

    Raises:
        SweepError: the sweep has no objective.
    """
    css = "".join(file.read_text(encoding="utf-8") for file in _STYLES)
    # Only this style sheet may take effect, whatever a setting or an error message tries to bring in.
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    template = _environment().get_template("page.html.jinja")
    return template.render(css=Markup(css), css_digest=digest, sweep=sweep, trials=trials, **_parts(sweep, trials))


def command(sweep: Sweep) -> str:
    """The command line that started the sweep."""
    return shlex.join(["stagewise", "sweep", *sweep.arguments])


def _parts(sweep: Sweep, trials: Sequence[Trial]) -> dict[str, object]:
    """What the template cannot read off the records themselves."""
    points, objective = rank(trials, sweep.objectives), first(sweep.objectives)
    return {
        "objective": objective,
        "points": points,
        "keys": short(swept(trials)),
        "absent": ABSENT,
        "headline": words.headline(sweep, trials),
        "verdicts": words.verdicts(points, sweep.objectives),
        "judged": {item.point.rank: item for item in against_best(points, objective)},
        "importance": importance(trials, sweep.objectives),
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


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # What is unseen, or turns the reading direction, is spelt out wherever text of a record comes in.
        finalize=lambda value: words.clean(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": words.number,
        "value": words.value,
        "estimate": words.estimate,
        "span": words.span,
        "states": words.states,
        "better": words.better,
        "lines": words.clean_lines,
        "settings": settings_of,
        "all_settings": words.settings_or_none,
        "failure": words.failure,
        "seconds": seconds,
        "stages": words.stages,
    }
    environment.globals |= {"left_out_why": words.left_out, "count": words.count}
    return environment
