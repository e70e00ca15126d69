"""What is known of trials and sweeps, as JSON below .stagewise/sweeps/: the one source of tables, pages and exports."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from stagewise.config.schema.sweep import Pruner
from stagewise.errors import SweepError

FOLDER = Path(".stagewise/sweeps")
"""Of all sweeps of a project."""
SHARED = ("checkpoints", "locks", "logs", "mlflow", "runs", "trials", "work")
"""Folders therein that belong to no sweep alone."""

ENDED = 3
"""Exit code of a trial's process when its training was ended early."""

State = Literal["waiting", "running", "stopped", "finished", "failed", "pruned"]
"""Stopped: it ran when its sweep was killed, and goes on when that is started again."""
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


class Pruning(Record):
    """When a training that does badly is ended."""

    rule: Pruner
    by: Objective
    """A column of history.csv."""
    epochs: int
    """Of a whole training."""


class Sweep(Record):
    """A search: its command, and its trials in the order in which they were asked for."""

    name: str
    arguments: list[str]
    """Of the command line, behind ``stagewise sweep``."""
    objectives: list[Objective]
    base: str
    """The commit that the trials are over: HEAD, or a snapshot of the tracked changes on it."""
    prune: Pruning | None = None
    """By what trainings are ended early."""
    trials: list[str] = []
    """Ids."""
    total: int | None = None
    """Number of trials, where it is known beforehand."""


def add_trials(root: Path, sweep: str, trials: Sequence[str], total: int | None = None) -> None:
    """Add trials to a sweep's record, each once, and the number of all of them where it is known by now.

    Raises:
        SweepError: the record is gone.
    """
    file = sweep_file(root, sweep)
    with locked(file.with_name("sweep.lock")):
        record = read_sweep(root, sweep)
        if record is None:
            raise SweepError("the sweep's record is gone", where=str(file), fix="start the sweep again")
        record.trials = list(dict.fromkeys([*record.trials, *trials]))
        record.total = total or record.total
        write_record(record, file)


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
        trial = read_trial(root, name) or Trial(id=name, overrides=[])
        if trial.state == "running" and not is_held(trial_lock(root, name)):
            trial.state = "stopped"
        yield trial


@contextmanager
def locked(file: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file; it ends with the process.

    Raises:
        BlockingIOError: another process holds it, and it is not to be waited for.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def is_held(file: Path) -> bool:
    """Whether a process holds the lock of a file."""
    try:
        with locked(file, wait=False):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def storage_url(root: Path, sweep: str) -> str:
    """Of the SQLite file in which Optuna keeps a sweep's studies."""
    return f"sqlite:///{root / FOLDER / sweep / 'optuna.db'}"


def trial_lock(root: Path, trial: str) -> Path:
    """The lock that is held while a trial runs."""
    return root / FOLDER / "locks" / f"trial-{trial}"


def settings_of(trial: Trial) -> dict[str, str]:
    """The values that a trial chose, by key: ``{"model": "cnn", "optimizer.lr": "0.01"}``."""
    pairs = (override.lstrip("+~").partition("=") for override in trial.overrides)
    return {key: value for key, _, value in pairs}


def point_of(trial: Trial) -> str:
    """The values that a trial chose but for its seed: trials that share it are repetitions of one point."""
    chosen = {key: value for key, value in settings_of(trial).items() if key != "seed"}
    return json.dumps(chosen, sort_keys=True)
