"""One trial from its overrides to its record: skipped where it is finished, else run in a process of its own."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from stagewise.config.git import git
from stagewise.config.resolve import resolved_files
from stagewise.errors import SweepError
from stagewise.sweeps.measures import values_of
from stagewise.sweeps.record import (
    FOLDER,
    Objective,
    Trial,
    read_sweep,
    read_trial,
    sweep_file,
    trial_file,
    write_record,
)
from stagewise.sweeps.workspace import choose, environment, make_workspace

_SHOWN = 12


class Plan(BaseModel):
    """What all trials of a sweep share; plain values, since it travels to other processes and machines."""

    model_config = ConfigDict(extra="forbid")

    root: Path
    sweep: str
    base: Path
    """A checkout of the snapshot, in which configs are composed."""
    head: str
    snapshot: str
    cache: Path
    objectives: list[Objective]
    on_error: Literal["continue", "stop"]
    devices: list[str]
    """GPUs to share out, as CUDA_VISIBLE_DEVICES names them."""


def run_trial(plan: Plan, overrides: list[str], number: int) -> list[float] | None:
    """Run the trial, or find that it has run; return the value of each objective, None where it failed.

    Raises:
        SweepError: the trial has no such figure.
    """
    name = trial_id(plan, overrides)
    with _hold(plan.root / FOLDER / "work" / f"{name}.lock"):
        trial = read_trial(plan.root, name)
        if trial is None or trial.state != "finished" or not _is_saved(plan.root, trial):
            trial = Trial(id=name, overrides=overrides)
            write_record(trial, trial_file(plan.root, name))
        _join(plan, name)
        if trial.state != "finished" and not _stopped(plan):
            trial = _run(plan, trial, number)
    return values_of(trial.metrics, plan.objectives) if trial.state == "finished" else None


def trial_id(plan: Plan, overrides: list[str]) -> str:
    """12 digits of a digest of all that enters the trial: the keys of its stages, the pipeline, the raw data in git."""
    keys = {stage: yaml.safe_load(text)["key"] for stage, text in resolved_files(plan.base, overrides).items()}
    trees = [git(plan.base, "rev-parse", f"{plan.snapshot}:./{path}") for path in ("dvc.yaml", "data/own")]
    return hashlib.sha256(json.dumps([keys, trees]).encode()).hexdigest()[:12]


def stop_file(root: Path, sweep: str) -> Path:
    """Its existence keeps a sweep's further trials from running."""
    return root / FOLDER / sweep / "stopped"


def _run(plan: Plan, trial: Trial, number: int) -> Trial:
    folder = plan.root / FOLDER
    log = folder / "logs" / f"{trial.id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    trial.state, trial.started, trial.log = "running", time.time(), log.relative_to(plan.root).as_posix()
    write_record(trial, trial_file(plan.root, trial.id))
    workspace = folder / "work" / trial.id
    try:
        project = make_workspace(plan.root, plan.head, plan.snapshot, plan.cache, workspace)
        choose(project, trial.overrides)
        _keep_checkpoints(project, folder / "checkpoints" / trial.id)
        device = plan.devices[number % len(plan.devices)] if plan.devices else None
        with log.open("wb") as printed:
            code = subprocess.run(
                [sys.executable, "-m", "stagewise.sweeps.trial", str(plan.root), trial.id],
                cwd=project,
                env=environment(project, device),
                stdout=printed,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    done = read_trial(plan.root, trial.id) or trial
    done.ended = time.time()
    if code == 0:
        done.state = "finished"
        shutil.rmtree(folder / "checkpoints" / trial.id, ignore_errors=True)
    else:
        done.state, done.error = "failed", _end_of(log)
        if plan.on_error == "stop":
            stop_file(plan.root, plan.sweep).touch()
    write_record(done, trial_file(plan.root, trial.id))
    return done


def _keep_checkpoints(project: Path, kept: Path) -> None:
    """A trial that is killed and started again goes on from its last checkpoint, though its workspace is gone."""
    kept.mkdir(parents=True, exist_ok=True)
    (project / ".stagewise").mkdir(exist_ok=True)
    (project / ".stagewise/checkpoints").symlink_to(kept)


def _is_saved(root: Path, trial: Trial) -> bool:
    """Whether the trial's experiment is still there: someone may have removed it."""
    listed = git(root, "for-each-ref", "--format=%(refname)", "refs/exps") or ""
    return any(ref.endswith(f"/{trial.experiment}") for ref in listed.split())


def _join(plan: Plan, trial: str) -> None:
    """Add the trial to the sweep's record."""
    file = sweep_file(plan.root, plan.sweep)
    with _hold(file.with_name("sweep.lock")):
        sweep = read_sweep(plan.root, plan.sweep)
        if sweep is None:
            raise SweepError("the sweep's record is gone", where=str(file), fix="start the sweep again")
        if trial not in sweep.trials:
            sweep.trials.append(trial)
            write_record(sweep, file)


def _stopped(plan: Plan) -> bool:
    return stop_file(plan.root, plan.sweep).exists()


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_SHOWN:])


@contextmanager
def _hold(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
