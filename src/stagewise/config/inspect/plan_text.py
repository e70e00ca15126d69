"""Print a plan: a line per stage, its reasons below one another, and how long it will take."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from stagewise.config.inspect.entries import Changes
from stagewise.config.inspect.plan import CONFIGURE, PlannedStage

_STYLES = {"unchanged": "dim", "restored": "green", "runs": "bold yellow", "after": "yellow"}
_MOST = 6
"""Lines of one kind (values, modules, libraries) that are shown of a stage."""


def print_plan(stages: Sequence[PlannedStage], times: Mapping[str, float], console: Console | None = None) -> None:
    """Print ``stages``; ``times`` holds the seconds that a stage took the last time, by name."""
    console = console or Console(highlight=False)
    width = max((len(stage.name) for stage in stages), default=0) + 2
    for stage in stages:
        first, *rest = [*_heading(stage), *_lines(stage)]
        style = _STYLES[stage.state]
        console.print(f"{stage.name:{width}}[{style}]{escape(first)}[/]", soft_wrap=True)
        for line in rest:
            console.print(" " * width + escape(line), soft_wrap=True)
    console.print(f"\n{_summary(stages, times)}", soft_wrap=True)


def _heading(stage: PlannedStage) -> list[str]:
    if stage.state == "after":
        return [f"runs, or is restored, after {', '.join(stage.after)}"]
    return ["restored from the cache" if stage.state == "restored" else stage.state]


def _lines(stage: PlannedStage) -> list[str]:
    changes = stage.changes or Changes([], [], [])
    parts = (changes.values, changes.code, changes.libraries, stage.reasons)
    return [f"  {line}" for part in parts for line in _shortened(part)]


def _shortened(lines: list[str]) -> list[str]:
    hidden = len(lines) - _MOST
    return lines if hidden <= 1 else [*lines[:_MOST], f"and {hidden} more"]


def _summary(stages: Sequence[PlannedStage], times: Mapping[str, float]) -> str:
    run = [stage.name for stage in stages if stage.would_run]
    restored = sum(stage.state == "restored" for stage in stages)
    parts = []
    if run:
        parts.append(f"{len(run)} of {len(stages)} stages would run")
    if restored:
        parts.append(f"{restored} would be restored")
    if not parts:
        return "nothing to do: every stage is up to date"
    return f"{', '.join(parts)}; time: {_estimate(run, times)}"


def _estimate(names: Sequence[str], times: Mapping[str, float]) -> str:
    """Add up the last times; configure, always about a second, has none."""
    work = [name for name in names if name != CONFIGURE]
    unknown = [name for name in work if name not in times]
    seconds = sum(times.get(name, 0.0) for name in work)
    if not work:
        return "about a second"
    if len(unknown) == len(work):
        return "unknown (no earlier run to go by)"
    if unknown:
        return f"more than {_duration(seconds)} ({', '.join(unknown)}: no earlier run to go by)"
    return f"about {_duration(seconds)}, going by the last run of each"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
