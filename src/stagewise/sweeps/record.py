"""What is known of trials and sweeps, as JSON below .stagewise/sweeps/: the one source of tables, pages and exports."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

FOLDER = Path(".stagewise/sweeps")
"""Of all sweeps of a project."""
SHARED = ("checkpoints", "locks", "logs", "trials", "work")
"""Folders therein that belong to no sweep alone."""

State = Literal["waiting", "running", "finished", "failed", "pruned"]
Direction = Literal["min", "max"]
StageState = Literal["ran", "restored"]


class Record(BaseModel):
    """Base: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="constants")


class Trial(Record):
    """One point of a search, identified by the resolved configs of its stages: equal ones are one trial."""

    id: str
    """12 hexadecimal digits: of the digest of all stage keys and of the base commit's other inputs."""
    overrides: list[str]
    """As Hydra gives them, over params.yaml."""
    state: State = "waiting"
    stage: str | None = None
    """The one that runs, or in which the trial failed."""
    stages: dict[str, StageState] = {}
    """What became of each finished stage: executed, or restored because it had run before."""
    seconds: dict[str, float] = {}
    """Of each finished stage."""
    metrics: dict[str, float] = {}
    """Of training and validation only: the columns of history.csv at the kept epoch, and of the chosen candidate
    ``score``, ``bytes`` and ``p50_ms``. Nothing of the test split is ever in here."""
    curves: dict[str, list[float | None]] = {}
    """Columns of history.csv, epoch by epoch."""
    error: str = ""
    """The last lines of what a failed stage printed."""
    log: str = ""
    """Path of the whole log, relative to the project."""
    experiment: str = ""
    """Name of the DVC experiment that holds its outputs."""
    started: float = 0.0
    """Seconds since the epoch."""
    ended: float = 0.0


class Objective(Record):
    """A metric of trials, and whether lower or higher is better."""

    metric: str
    direction: Direction


class Sweep(Record):
    """A search: its command, and its trials in the order in which they were asked for."""

    name: str
    arguments: list[str]
    """Of the command line, behind ``stagewise sweep``."""
    objectives: list[Objective]
    base: str
    """The commit that the trials are over: HEAD, or a snapshot of the tracked changes on it."""
    trials: list[str] = []
    """Ids."""
    total: int | None = None
    """Number of trials, where it is known beforehand."""


def write_record(record: Trial | Sweep, path: Path) -> None:
    """Write a record in one piece: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def trial_file(root: Path, trial: str) -> Path:
    """Where a trial's record lies: one place for all sweeps of the project at ``root``."""
    return root / FOLDER / "trials" / f"{trial}.json"


def sweep_file(root: Path, name: str) -> Path:
    """Where a sweep's record lies."""
    return root / FOLDER / name / "sweep.json"


def read_trial(root: Path, trial: str) -> Trial | None:
    """The record of a trial; None where there is none that can be read."""
    try:
        return Trial.model_validate_json(trial_file(root, trial).read_bytes())
    except (OSError, ValidationError):
        return None


def read_sweep(root: Path, name: str) -> Sweep | None:
    """The record of a sweep; None where there is none that can be read."""
    try:
        return Sweep.model_validate_json(sweep_file(root, name).read_bytes())
    except (OSError, ValidationError):
        return None


def sweep_names(root: Path) -> list[str]:
    """The sweeps of a project, the newest last."""
    files = sorted((root / FOLDER).glob("*/sweep.json"), key=lambda file: file.stat().st_mtime)
    return [file.parent.name for file in files]


def trials_of(root: Path, sweep: Sweep) -> Iterator[Trial]:
    """The trials of a sweep, each once, in the order in which they were asked for."""
    for name in dict.fromkeys(sweep.trials):
        yield read_trial(root, name) or Trial(id=name, overrides=[])


def settings_of(trial: Trial) -> dict[str, str]:
    """The values that a trial chose, by key: ``{"model": "cnn", "optimizer.lr": "0.01"}``."""
    pairs = (override.lstrip("+~").partition("=") for override in trial.overrides)
    return {key: value for key, _, value in pairs}


def point_of(trial: Trial) -> str:
    """The values that a trial chose but for its seed: trials that share it are repetitions of one point."""
    chosen = {key: value for key, value in settings_of(trial).items() if key != "seed"}
    return json.dumps(chosen, sort_keys=True)
