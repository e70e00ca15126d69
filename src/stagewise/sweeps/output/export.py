"""A sweep as a table for other programs: one row per trial."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from stagewise.errors import SweepError
from stagewise.sweeps.output.values import columns, number
from stagewise.sweeps.record import Sweep, Trial


def export(sweep: Sweep, trials: Sequence[Trial], path: Path) -> None:
    """Write a row per trial, in the order in which they were asked for.

    Columns: ``id``, ``state``, every key that a trial set, ``metric.<name>``, ``seconds.<stage>``, ``experiment``.
    Numbers and truth values are typed; a field is empty where a trial has no such value.

    Args:
        path: a .csv or .parquet file.

    Raises:
        SweepError: another suffix, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise SweepError(
            f"A sweep is exported to .csv or .parquet, not to {path.suffix or 'a file without a suffix'}.",
            where=str(path),
            fix=shlex.join(["stagewise", "sweep", "export", f"{path.stem or 'sweep'}.csv", "--name", sweep.name]),
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(table(trials), path, suffix)
    except OSError as error:
        raise SweepError("The export cannot be written.", where=str(path), why=str(error)) from error


def table(trials: Sequence[Trial]) -> pa.Table:
    """The rows as an Arrow table."""
    found: dict[str, pa.Array] = {
        "id": pa.array([trial.id for trial in trials], pa.string()),
        "state": pa.array([trial.state for trial in trials], pa.string()),
    }
    found |= {key: _typed(values) for key, values in columns(trials).items()}
    for name in dict.fromkeys(name for trial in trials for name in trial.metrics):
        found[f"metric.{name}"] = pa.array([trial.metrics.get(name) for trial in trials], pa.float64())
    for name in dict.fromkeys(name for trial in trials for name in trial.seconds):
        found[f"seconds.{name}"] = pa.array([trial.seconds.get(name) for trial in trials], pa.float64())
    found["experiment"] = pa.array([trial.experiment or None for trial in trials], pa.string())
    return pa.table(found)


def _typed(values: Sequence[str | None]) -> pa.Array:
    """Whole numbers, numbers, truth values or texts: the first that all values are."""
    texts = [value for value in values if value is not None]
    if all(number(text) is not None for text in texts):
        numbers = [None if value is None else number(value) for value in values]
        whole = all(isinstance(value, int) for value in numbers if value is not None)
        return pa.array(numbers, pa.int64()) if whole else pa.array([_float(value) for value in numbers], pa.float64())
    if all(text in ("true", "false") for text in texts):
        return pa.array([None if value is None else value == "true" for value in values], pa.bool_())
    return pa.array(values, pa.string())


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _write(rows: pa.Table, path: Path, suffix: str) -> None:
    if suffix == ".csv":
        from pyarrow import csv

        csv.write_csv(rows, path)
    else:
        from pyarrow import parquet

        parquet.write_table(rows, path)
