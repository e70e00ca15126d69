"""The page of a log: one file, nothing fetched, no script."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from stagewise.drift.monitor import Part
from stagewise.drift.shift import Shift
from stagewise.report.charts import Plane, ticks
from stagewise.report.page import render

if TYPE_CHECKING:
    from stagewise.drift.report import Findings

_TEMPLATE = Path(__file__).with_name("drift.html.jinja")
_CHARTS = 8
_FLOOR = 1e-12
_TITLES = {"traffic": "Inputs and answers", "outcomes": "Answers against the labels that came back"}


def write_page(findings: "Findings", out: Path) -> None:
    """Write the page of what a log says."""
    parts = [_section(name, part) for name, part in findings.monitor.parts.items()]
    context = {"findings": findings, "parts": parts, "alarms": sum(part["part"].alarms for part in parts)}
    out.write_text(render(_TEMPLATE, context), encoding="utf-8", newline="\n")


def _section(name: str, part: Part) -> dict[str, Any]:
    section: dict[str, Any] = {
        "title": _TITLES[name],
        "name": name,
        "part": part,
        "rows": [],
        "charts": [],
        "time": None,
    }
    if not part.judged:
        return section
    windows = list(part.judged)
    # The window that says most is shown; of one that is quiet there is nothing to see.
    shown = min(windows, key=lambda one: one.verdict.smallest).verdict
    counts = {
        shift.name: sum(shift.name == other.name for one in windows for other in one.verdict.drifted)
        for shift in shown.shifts
    }
    ordered = sorted(shown.shifts, key=lambda shift: (shift.adjusted, shift.p))
    entries = {entry["name"]: entry for entry in part.entries}
    section["rows"] = [(shift, counts[shift.name]) for shift in ordered]
    section["charts"] = [(shift.name, _shares(entries[shift.name], shift)) for shift in ordered[:_CHARTS]]
    section["time"] = _over_time([one.verdict.smallest for one in windows], shown.alpha)
    section["verdict"] = shown
    return section


def _over_time(smallest: list[float], alpha: float) -> Markup:
    """How sure each window is, as the power of ten of its smallest p, and the line above which it is an alarm."""
    sure = [-math.log10(max(p, _FLOOR)) + 0.0 for p in smallest]
    heights = ticks(0.0, max(*sure, -math.log10(alpha), 1.0))
    last = max(len(sure), 2)
    plane = Plane((1.0, float(last)), (heights[0], heights[-1]))
    plane.axes([t for t in ticks(1.0, float(last)) if 1 <= t <= last and t == int(t)], heights, "window")
    plane.line("ideal", 1.0, -math.log10(alpha), float(last), -math.log10(alpha))
    plane.path("curve curve1", [(float(number), one) for number, one in enumerate(sure, start=1)])
    for number, one in enumerate(sure, start=1):
        plane.dot("point point1", float(number), one, 3, f"window {number}: p {smallest[number - 1]:.2g}")
    return plane.svg("How sure each window is")


def _shares(entry: Mapping[str, Any], shift: Shift) -> Markup:
    """Share of the rows in every bin: of the reference, and of the window."""
    before = [*entry["counts"], *([entry["missing"]] if "missing" in entry else [])]
    total = max(sum(before), 1)
    old = [count / total for count in before]
    names = entry.get("labels") or _bin_names(entry["bins"])
    heights = ticks(0.0, max(*old, *shift.shares, 0.1))
    plane = Plane((0.0, float(len(old))), (heights[0], heights[-1]))
    plane.axes([], heights, "bins of the reference")
    for place, (name, one, other) in enumerate(zip(names, old, shift.shares, strict=True)):
        plane.line("rule", place + 0.5, 0.0, place + 0.5, max(one, other))
        plane.dot("point point1", place + 0.35, one, 4, f"{name}: {one:.1%} of the reference")
        plane.dot("point point2", place + 0.65, other, 4, f"{name}: {other:.1%} of the window")
    return plane.svg(f"{shift.name}: share of the rows in every bin")


def _bin_names(bins: list[float]) -> list[str]:
    edges = np.asarray(bins, np.float32)
    # A value with a bin of its own has an edge right below it, which would be written like the value.
    after = np.nextafter(edges, np.float32(np.inf))
    names = [
        f"below {above:.4g}" if above in edges else f"up to {edge:.4g}"
        for edge, above in zip(edges, after, strict=True)
    ]
    return [*names, f"above {edges[-1]:.4g}" if len(edges) else "all", "missing"]
