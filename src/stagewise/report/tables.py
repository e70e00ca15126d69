"""Small files of figures: CSV for ``dvc plots``, JSON for ``dvc metrics``, and the history of training."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stagewise.errors import TrainingError

History = dict[str, list[float | None]]
"""Columns of history.csv by name, one entry per epoch; None where nothing was logged."""


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; floats in full, NaN and None as an empty field."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in rows)


def write_metrics(metrics: dict[str, float], path: Path) -> None:
    """Write flat figures as JSON, in their order."""
    path.write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_history(path: Path) -> History:
    """Read history.csv, one row per epoch; an ``epoch`` column always comes first.

    Several rows of one epoch are merged, the last value of a column counts.

    Raises:
        TrainingError: the file is missing or not a table of numbers.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        epochs: dict[float, dict[str, float]] = {}
        for row in rows:
            known = {name: float(text) for name, text in row.items() if text}
            epochs.setdefault(known["epoch"], {}).update(known)
    except FileNotFoundError as error:
        raise TrainingError("there is no training history", where=str(path), fix="dvc repro train") from error
    except (KeyError, ValueError, TypeError) as error:
        why = f"not a table of numbers with an epoch column ({error})"
        raise TrainingError(
            "the training history is damaged", where=str(path), why=why, fix="dvc repro -f train"
        ) from error
    names = ["epoch", *(name for name in (rows[0] if rows else ()) if name != "epoch")]
    return {name: [epochs[epoch].get(name) for epoch in sorted(epochs)] for name in names}


def write_curves(history: History, path: Path) -> None:
    """Write the history in wide form: one row per epoch, one column per curve."""
    names = list(history)
    rows = list(zip(*history.values(), strict=True))
    write_csv(path, names, [(int(row[0] or 0), *row[1:]) for row in rows])


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(float(value)) if isinstance(value, float) else value
