"""What the earlier stages recorded, as a package tells it: figures with intervals, data, libraries."""

import contextlib
import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from stagewise.report.words import headline

BREAKDOWNS = {"classes.csv": "class", "variables.csv": "variable"}
"""Tables of reports/evaluation/figures whose rows are parts of the whole, and what their first column names."""

COMPARED = ("baseline_", "persistence_", "seasonal_naive_")
"""How the names of figures begin that are about what the model was compared with."""


class Figure(NamedTuple):
    """A figure with its interval; None where it has none."""

    name: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The records that a package is made from."""

    ingest: dict[str, Any]
    """data/raw/ingest.json."""
    metrics: dict[str, float]
    """reports/evaluation/metrics.json, flat, an interval as ``<figure>_low`` and ``<figure>_high``."""
    compression: dict[str, Any]
    """reports/compression/candidates.json."""
    parts: dict[str, list[Figure]]
    """Figures of each class or variable, by its name."""
    part: str
    """What the parts are: "class" or "variable"; empty where there are none."""
    stages: Mapping[str, Mapping[str, Any]]
    """build/<stage>.yaml, by stage."""

    def figures(self) -> list[Figure]:
        """The figures of the whole, on the test split; those of a part are among ``parts``."""
        told = {f"{figure.name}_{name}" for name, figures in self.parts.items() for figure in figures}
        told |= {f"f1_{name}" for name in self.parts}
        return [figure for figure in _figures(self.metrics) if figure.name != "rows" and figure.name not in told]

    def own_figures(self) -> list[Figure]:
        """Those of the model itself, without what it was compared with."""
        return [figure for figure in self.figures() if not figure.name.startswith(COMPARED)]

    def headline(self) -> Figure:
        """The figure that sums the model up."""
        name = headline(self.metrics)
        return next(figure for figure in _figures(self.metrics) if figure.name == name)

    def stage_keys(self) -> dict[str, str]:
        """The digest of all that entered each stage beside its data."""
        return {stage: str(entry["key"]) for stage, entry in sorted(self.stages.items())}

    def libraries(self) -> dict[str, tuple[str, list[str]]]:
        """Version of every library, Python among them, and the stages that it took part in."""
        found: dict[str, tuple[str, list[str]]] = {}
        for stage, entry in sorted(self.stages.items()):
            for name, version in sorted(entry.get("libraries", {}).items()):
                found.setdefault(name, (str(version), []))[1].append(stage)
        return dict(sorted(found.items()))

    def confidence(self) -> float | None:
        """Coverage of the intervals, as the evaluate stage was told."""
        section = self.stages.get("evaluate", {}).get("config", {}).get("evaluate", {})
        value = section.get("confidence")
        return None if value is None else float(value)


def read_parts(figures: Path) -> tuple[dict[str, list[Figure]], str]:
    """The figures of each part of the whole, and what the parts are; nothing where the task has no such table.

    Args:
        figures: reports/evaluation/figures.

    Raises:
        KeyError: a table has not the column that names its rows.
        OSError: a table cannot be read.
    """
    for name, part in BREAKDOWNS.items():
        if (figures / name).is_file():
            rows = csv.DictReader(io.StringIO((figures / name).read_text(encoding="utf-8"), newline=""))
            return {row.pop(part): list(_figures(_numbers(row))) for row in rows}, part
    return {}, ""


def _numbers(row: dict[str, str]) -> dict[str, float]:
    """The cells that are numbers: others are words, such as a unit, and a figure that is undefined is left empty."""
    found = {}
    for name, cell in row.items():
        with contextlib.suppress(ValueError):
            found[name] = float(cell)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _figures(flat: Mapping[str, float]) -> Iterator[Figure]:
    for name, value in flat.items():
        if not name.endswith(("_low", "_high")) and not name.startswith("cv_"):
            yield Figure(name, value, flat.get(f"{name}_low"), flat.get(f"{name}_high"))
