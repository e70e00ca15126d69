"""The ranking in the terminal."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stagewise.report.plain_text import clean, clip
from stagewise.sweeps.output import words
from stagewise.sweeps.output.measured import first
from stagewise.sweeps.output.points import Point, mixed, rank, unranked
from stagewise.sweeps.output.values import ABSENT, short, swept
from stagewise.sweeps.record import Objective, Sweep, Trial

STYLES = {
    "finished": "green",
    "running": "cyan",
    "failed": "bold red",
    "pruned": "yellow",
    "waiting": "dim",
    "stopped": "yellow",
}
"""Of each state."""

_POINTS, _FAILED, _NAME, _VALUE = 30, 20, 24, 32


def print_ranking(
    sweep: Sweep, trials: Sequence[Trial], console: Console | None = None, page: Path | None = None
) -> None:
    """Print what came of a sweep: the ranking, what is within noise, what failed, and what to do next.

    Args:
        console: where to; standard output if not given. Without a terminal the text is plain.
        page: where the page was written, if it was; named at the end.

    Raises:
        SweepError: the sweep has no objective.
    """
    console = console or Console(highlight=False)
    points = rank(trials, sweep.objectives)
    head = Text.assemble("\n", (clean(sweep.name), "bold"), f"  {words.headline(sweep, trials)}")
    _print(console, head)
    if points:
        console.print(_table(points, trials, sweep.objectives, console.width))
    if len(points) > _POINTS:
        _print(console, f"and {words.count(len(points) - _POINTS, 'more point')}, on the page")
    for sentence in words.verdicts(points, sweep.objectives):
        _print(console, clean(sentence))
    _failures([trial for trial in trials if trial.state == "failed"], console)
    _left_out(unranked(trials, sweep.objectives), sweep.objectives, console)
    _print(console, f"\n{words.stages(trials)}")
    _next(sweep, points, console, page)


def _print(console: Console, text: Text | str) -> None:
    console.print(text if isinstance(text, Text) else Text(text), highlight=False)


def _table(points: Sequence[Point], trials: Sequence[Trial], objectives: Sequence[Objective], width: int) -> Table:
    keys = short(swept(trials))
    wide = _wide(points, keys, objectives)
    return wide if Console(width=1000).measure(wide).maximum <= width else _narrow(points, keys, objectives)


def _wide(points: Sequence[Point], keys: Mapping[str, str], objectives: Sequence[Objective]) -> Table:
    """A column per key, every row on one line."""
    table = _begun(objectives)
    table.add_column("rank", justify="right")
    for name in keys.values():
        table.add_column(Text(clip(clean(name), _NAME)))
    table.add_column("seeds", justify="right")
    for objective in objectives:
        table.add_column(Text(clip(clean(objective.metric), _NAME)), justify="right")
    table.add_column("time", justify="right")
    states = mixed(points)
    for name in ("trial", "state") if states else ("trial",):
        table.add_column(name)
    for point in points[:_POINTS]:
        chosen = [_value(point.settings.get(key, ABSENT)) for key in keys]
        cells = [_rank(point, objectives), *chosen, str(point.n), *_figures(point, objectives)]
        cells += [words.span(point.seconds), _trial(point, objectives)]
        cells += [words.states(point.states)] if states else []
        table.add_row(*map(Text, cells), style="bold" if point.rank == 1 else "")
    return table


def _narrow(points: Sequence[Point], keys: Mapping[str, str], objectives: Sequence[Objective]) -> Table:
    """The settings in one column, and what is known of the trial in another, line by line."""
    table = _begun(objectives)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("settings", overflow="fold", min_width=16)
    table.add_column("seeds", justify="right", no_wrap=True)
    for objective in objectives:
        table.add_column(Text(clip(clean(objective.metric), _NAME)), justify="right", overflow="fold")
    table.add_column("trial, time" if not mixed(points) else "trial, state, time", overflow="fold", min_width=12)
    for point in points[:_POINTS]:
        chosen = [clip(clean(text), _VALUE) for text in words.settings(point.settings, keys)]
        states = [words.states(point.states)] if mixed(points) else []
        about = [_trial(point, objectives), *states, words.span(point.seconds)]
        cells = [_rank(point, objectives), "\n".join(chosen), str(point.n), *_figures(point, objectives)]
        table.add_row(*map(Text, [*cells, "\n".join(about)]), style="bold" if point.rank == 1 else "")
    return table


def _begun(objectives: Sequence[Objective]) -> Table:
    mark = "* Pareto-optimal: none is better in one objective without being worse in another"
    caption = Text(mark, "dim") if len(objectives) > 1 else None
    return Table(box=box.SIMPLE, pad_edge=False, padding=(0, 1, 0, 0), caption=caption, caption_justify="left")


def _rank(point: Point, objectives: Sequence[Objective]) -> str:
    return f"{point.rank}*" if point.optimal and len(objectives) > 1 else str(point.rank)


def _value(text: str) -> str:
    return clip(clean(words.value(text)), _VALUE)


def _figures(point: Point, objectives: Sequence[Objective]) -> list[str]:
    return [words.estimate(point.estimates[objective.metric]) for objective in objectives]


def _trial(point: Point, objectives: Sequence[Objective]) -> str:
    return clip(clean(point.typical(first(objectives)).id), 12)


def _failures(failed: Sequence[Trial], console: Console) -> None:
    if failed:
        _print(console, Text(f"\n{words.count(len(failed), 'trial')} failed", STYLES["failed"]))
    for trial in failed[:_FAILED]:
        line = Text.assemble("  ", (clean(trial.id), "bold"), f"  {clean(words.settings_or_none(trial))}")
        _print(console, line)
        _print(console, f"    {clean(words.failure(trial))}")
        if trial.log:
            # On one line, however long: a path that is broken cannot be copied.
            console.print(Text(f"    log: {clean(trial.log)}", "dim"), soft_wrap=True)
    if len(failed) > _FAILED:
        _print(console, f"  and {words.count(len(failed) - _FAILED, 'more failed trial')}, on the page")


def _left_out(trials: Sequence[Trial], objectives: Sequence[Objective], console: Console) -> None:
    reasons = [words.left_out(trial, objectives) for trial in trials if trial.state != "failed"]
    if reasons:
        console.print()
    for reason in dict.fromkeys(reasons):
        _print(console, f"not ranked: {words.count(reasons.count(reason), 'trial')}, {clean(reason)}")


def _next(sweep: Sweep, points: Sequence[Point], console: Console, page: Path | None) -> None:
    steps = []
    if points:
        best = clean(points[0].typical(first(sweep.objectives)).id)
        steps.append((f"stagewise sweep apply {best}", "take over the best, with its outputs"))
    steps.append((clean(shlex.join(["stagewise", "sweep", "show", "--name", sweep.name])), "print this again"))
    if page:
        steps.append((str(page), "open it in a browser: everything, on one page"))
    _print(console, "\nnext:")
    for command, meaning in steps:
        console.print(Text.assemble((f"  {command}", "cyan"), (f"   {meaning}", "dim")), soft_wrap=True)
