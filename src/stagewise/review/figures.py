"""Figures and learning curves of three runs side by side: recorded, reproduced, and of another revision."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stagewise.review.pipeline import Pipeline
from stagewise.review.record import Curve, Metric


def metrics(pipeline: Pipeline, recorded: Path, reproduced: Path, against: Path | None) -> list[Metric]:
    """Every number of every metrics file of the pipeline, in the order of the files."""
    found = []
    for path in (out.path for stage in pipeline.stages for out in stage.outs if out.metric):
        tables = [flat_numbers(root / path) if root else {} for root in (recorded, reproduced, against)]
        for name in dict.fromkeys(name for table in tables for name in table):
            values = [table.get(name) for table in tables]
            found.append(Metric(file=path, name=name, recorded=values[0], reproduced=values[1], against=values[2]))
    return found


def curves(pipeline: Pipeline, recorded: Path, reproduced: Path, against: Path | None) -> list[Curve]:
    """The columns of the first table of the pipeline that goes by epoch."""
    for path in (out.path for stage in reversed(pipeline.stages) for out in stage.outs if out.path.endswith(".csv")):
        tables = [_columns(root / path) if root else {} for root in (recorded, reproduced, against)]
        if any("epoch" in table for table in tables):
            names = [name for name in dict.fromkeys(name for table in tables for name in table) if name != "epoch"]
            sides = ("recorded", "reproduced", "against")
            values = [{side: table.get(name, []) for side, table in zip(sides, tables, strict=True)} for name in names]
            return [Curve.model_validate({"name": name, **value}) for name, value in zip(names, values, strict=True)]
    return []


def flat_numbers(path: Path) -> dict[str, float]:
    """The numbers of a JSON file by dotted key; none where it cannot be read."""
    try:
        return dict(_numbers(json.loads(path.read_text(encoding="utf-8")), ""))
    except (OSError, ValueError):
        return {}


def _numbers(value: Any, key: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        yield key, float(value)


def _columns(path: Path) -> dict[str, list[float | None]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else {})}
    except (OSError, ValueError, csv.Error, UnicodeDecodeError):
        return {}


def _number(text: str) -> float | None:
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None
