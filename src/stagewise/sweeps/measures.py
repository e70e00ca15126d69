"""What a search may choose by: figures of training, of validation, and of the compressed model.

Nothing here reads what the test split gave (reports/evaluation): a search that looked at it would fit to it, and the
figures that are reported afterwards would be too good.
"""

import csv
import json
import math
from pathlib import Path
from typing import Any

import yaml

from stagewise.config.schema.train import TrainerSection
from stagewise.errors import SweepError
from stagewise.sweeps.record import Objective

COMPRESSED = {"score": "max", "bytes": "min", "p50_ms": "min"}
"""Of the chosen candidate: its validation score, its size, its median latency for one row (where it was measured)."""


def metrics_of(project: Path) -> dict[str, float]:
    """The columns of history.csv at the kept epoch, and the figures of the chosen candidate."""
    rows = _history(project / "models/trained/history.csv")
    kept = rows[_kept(project, rows)] if rows else {}
    candidates = _json(project / "reports/compression/candidates.json")
    chosen = candidates.get("candidates", {}).get(candidates.get("chosen"), {})
    times = _json(project / "reports/compression/latency.json").get("candidates", {}).get(candidates.get("chosen"), {})
    figures = {
        **kept,
        "score": chosen.get("score"),
        "bytes": chosen.get("bytes"),
        "p50_ms": times.get("batch_sizes", {}).get("1", {}).get("p50_ms"),
    }
    return {name: float(value) for name, value in figures.items() if value is not None and math.isfinite(value)}


def curves_of(project: Path) -> dict[str, list[float | None]]:
    """The columns of history.csv, epoch by epoch."""
    return _columns(_history(project / "models/trained/history.csv"))


def live_curves(project: Path) -> dict[str, list[float | None]]:
    """The same of a training that is under way; empty before its first epoch has ended."""
    files = sorted((project / ".stagewise/staging/train").glob("*/history.csv"))
    return _columns(_history(files[0])) if files else {}


def objectives_from(texts: list[str], trainer: TrainerSection) -> list[Objective]:
    """Objectives as ``metric`` or ``metric:max``; without any, what training keeps its best epoch by.

    Raises:
        SweepError: a metric is unknown, or one of the test split.
    """
    if not texts:
        return [Objective(metric=trainer.monitor, direction=trainer.mode)]
    return [_objective(text, trainer) for text in texts]


def values_of(metrics: dict[str, float], objectives: list[Objective]) -> list[float]:
    """The value of each objective.

    Raises:
        SweepError: a trial has no such figure.
    """
    missing = [objective.metric for objective in objectives if objective.metric not in metrics]
    if missing:
        restored = "p50_ms is measured where compress is executed, not where it is restored"
        raise SweepError(
            f"the trial has no figure {missing[0]!r}",
            why=restored if missing == ["p50_ms"] else None,
            fix=f"choose one of {', '.join(sorted(metrics))}",
        )  # fmt: skip
    return [metrics[objective.metric] for objective in objectives]


def _objective(text: str, trainer: TrainerSection) -> Objective:
    metric, _, direction = text.partition(":")
    known = metric in COMPRESSED or metric.startswith(("val_", "train_")) or metric == "lr"
    if not known:
        raise SweepError(
            f"{metric!r} cannot be an objective",
            where="--objective",
            why="a search may look at training (train_...), validation (val_...) and the compressed model "
            f"({', '.join(COMPRESSED)}), never at the test split",
            fix=f"--objective {trainer.monitor}:{trainer.mode}",
        )
    if direction not in ("", "min", "max"):
        raise SweepError(
            f"an objective is minimised or maximised, not {direction!r}",
            where="--objective",
            fix=f"--objective {metric}:min",
        )
    guess = COMPRESSED.get(metric) or (
        trainer.mode if metric == trainer.monitor else "min" if "loss" in metric else "max"
    )
    return Objective.model_validate({"metric": metric, "direction": direction or guess})


def _kept(project: Path, rows: list[dict[str, float]]) -> int:
    """The row of the epoch whose weights were kept: the first of the best, as training chooses."""
    trainer = yaml.safe_load((project / "build/train.yaml").read_text(encoding="utf-8"))["config"]["trainer"]
    if trainer["keep"] != "best":
        return len(rows) - 1
    sign = 1 if trainer["mode"] == "min" else -1
    values = [sign * row.get(trainer["monitor"], math.inf) for row in rows]
    return min(range(len(rows)), key=lambda row: (math.isnan(values[row]), values[row]))


def _history(file: Path) -> list[dict[str, float]]:
    """Its rows; a last one that is still being written is left out."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return []
    lines = text[: text.rfind("\n") + 1].splitlines()
    return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]


def _columns(rows: list[dict[str, float]]) -> dict[str, list[float | None]]:
    return {name: [row.get(name) for row in rows] for name in (rows[0] if rows else {}) if name != "epoch"}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
