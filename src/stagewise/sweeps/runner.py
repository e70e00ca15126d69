"""One trial from its overrides to its record: skipped where it is finished, else run in a process of its own."""

import hashlib
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from stagewise.config.git import git
from stagewise.config.resolve import resolved_files
from stagewise.sweeps.measures import values_of
from stagewise.sweeps.mlflow_runs import log_trials
from stagewise.sweeps.record import (
    ENDED,
    FOLDER,
    Objective,
    Trial,
    add_trials,
    locked,
    read_sweep,
    read_trial,
    trial_file,
    trial_lock,
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
    project: str
    """Id of the project as it is, without a trial's choice."""
    cache: Path
    objectives: list[Objective]
    prunes: bool
    """Whether trainings that do badly are ended early."""
    on_error: Literal["continue", "stop"]
    jobs: int
    """Trials at once."""
    mlflow: bool
    """Whether trials become runs of MLflow, too."""
    devices: list[str]
    """GPUs to share out, as CUDA_VISIBLE_DEVICES names them."""


class Ended(float):
    """The value of a trial that was ended early: its best so far, not to be compared with that of a whole one."""


def run_trial(plan: Plan, overrides: list[str]) -> list[float]:
    """Run the trial, or find that it has run; return the value of each objective.

    They are ``Ended`` where the training was ended early, and not numbers where the trial failed.

    Raises:
        SweepError: the trial has no such figure.
    """
    name = trial_id(plan.base, plan.snapshot, overrides)
    with locked(trial_lock(plan.root, name)):
        trial = read_trial(plan.root, name)
        if trial is None or not _is_over(plan, trial):
            trial = Trial(id=name, overrides=overrides)
            write_record(trial, trial_file(plan.root, name))
        add_trials(plan.root, plan.sweep, [name])
        if trial.state == "waiting" and not stop_file(plan.root, plan.sweep).exists():
            trial = _run(plan, trial)
    if trial.state == "finished":
        return values_of(trial.metrics, plan.objectives)
    if trial.state == "pruned":
        return [_best(trial, objective) for objective in plan.objectives]
    return [math.nan] * len(plan.objectives)


def trial_id(base: Path, snapshot: str, overrides: list[str]) -> str:
    """12 digits of a digest of all that enters the trial: the keys of its stages, the pipeline, the raw data in git."""
    keys = {stage: yaml.safe_load(text)["key"] for stage, text in resolved_files(base, overrides).items()}
    trees = [git(base, "rev-parse", f"{snapshot}:./{path}") for path in ("dvc.yaml", "data/own")]
    return hashlib.sha256(json.dumps([keys, trees]).encode()).hexdigest()[:12]


def stop_file(root: Path, sweep: str) -> Path:
    """Its existence keeps a sweep's further trials from running."""
    return root / FOLDER / sweep / "stopped"


def _run(plan: Plan, trial: Trial) -> Trial:
    folder = plan.root / FOLDER
    log = folder / "logs" / f"{trial.id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    trial.state, trial.started, trial.log = "running", time.time(), log.relative_to(plan.root).as_posix()
    write_record(trial, trial_file(plan.root, trial.id))
    workspace = folder / "work" / trial.id
    try:
        project = make_workspace(plan.root, plan.head, plan.snapshot, plan.cache, workspace)
        choose(project, trial.overrides)
        for name, kept in (("checkpoints", "checkpoints"), ("logs", "runs")):
            _keep(project / ".stagewise" / name, folder / kept / trial.id)
        with log.open("wb") as printed, lease(plan) as device:
            code = subprocess.run(
                [sys.executable, "-m", "stagewise.sweeps.trial", str(plan.root), plan.sweep, trial.id],
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
    elif code == ENDED:
        done.state = "pruned"
    else:
        done.state, done.error = "failed", _end_of(log, code)
        if plan.on_error == "stop":
            stop_file(plan.root, plan.sweep).touch()
    write_record(done, trial_file(plan.root, trial.id))
    if plan.mlflow and (sweep := read_sweep(plan.root, plan.sweep)):
        with locked(folder / "locks" / "mlflow"):
            log_trials(plan.root, sweep, [done])
    return done


@contextmanager
def lease(plan: Plan) -> Iterator[str | None]:
    """Wait for a GPU that no other trial uses, and hold it; None where there is none to share out.

    With more trials at once than GPUs, each takes as many trials as it must.
    """
    slots = -(-plan.jobs // max(len(plan.devices), 1))
    places = [(device, slot) for slot in range(slots) for device in plan.devices]
    with ExitStack() as stack:
        yield _first_free(plan.root, places, stack) if places else None


def _first_free(root: Path, places: list[tuple[str, int]], stack: ExitStack) -> str:
    while True:
        for device, slot in places:
            try:
                stack.enter_context(locked(root / FOLDER / f"locks/gpu-{device}-{slot}", wait=False))
            except BlockingIOError:
                continue
            return device
        time.sleep(0.2)


def _keep(folder: Path, kept: Path) -> None:
    """Have a folder of the workspace outlive it: checkpoints, from which a killed trial goes on, and live logs."""
    kept.mkdir(parents=True, exist_ok=True)
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(kept)


def _is_over(plan: Plan, trial: Trial) -> bool:
    """Whether there is nothing left to do: it ran to its end and can be had, or was ended early and would be again."""
    return (trial.state == "finished" and _is_saved(plan.root, trial)) or (trial.state == "pruned" and plan.prunes)


def _best(trial: Trial, objective: Objective) -> Ended:
    choose = min if objective.direction == "min" else max
    known = [value for value in trial.curves.get(objective.metric, []) if value is not None]
    return Ended(choose(known, default=math.nan))


def _is_saved(root: Path, trial: Trial) -> bool:
    """Whether the trial's experiment is still there: someone may have removed it."""
    listed = git(root, "for-each-ref", "--format=%(refname)", "refs/exps") or ""
    return any(ref.endswith(f"/{trial.experiment}") for ref in listed.split())


def _end_of(log: Path, code: int) -> str:
    """The last lines of a log, and by what signal the process ended if it was killed."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
    killed = [f"killed by {signal.Signals(-code).name}; the same sweep started again goes on"] if code < 0 else []
    return "\n".join(lines + killed)
