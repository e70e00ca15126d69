"""The process of one trial: runs the stages of its workspace one after another, and saves a DVC experiment.

    python -m stagewise.sweeps.trial ROOT SWEEP ID    in the workspace; ROOT is the project

Two trials that need the same stage from the same inputs compute it once: the second waits for a lock that is named by
them, and then finds the outputs in DVC's run-cache.
"""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro

from stagewise.config.guarded import guarded
from stagewise.config.history import HISTORY
from stagewise.config.life import die_with_parent
from stagewise.sweeps.follow import Follower
from stagewise.sweeps.measures import curves_of, metrics_of
from stagewise.sweeps.prune import Pruner
from stagewise.sweeps.record import (
    ENDED,
    FOLDER,
    Sweep,
    Trial,
    locked,
    read_sweep,
    read_trial,
    storage_url,
    trial_file,
    write_record,
)


def main() -> None:
    """Run the trial; exit code 1 when a stage fails, whose name is then in the record, ENDED when it was pruned."""
    root, name = Path(sys.argv[1]), sys.argv[3]
    workspace = Path.cwd()
    die_with_parent(workspace)
    sweep, trial = read_sweep(root, sys.argv[2]), read_trial(root, name)
    if sweep is None or trial is None:
        sys.exit(f"there is no record of the trial {name} of {sys.argv[2]}")
    with guarded(workspace), Repo(str(workspace)) as repo:
        stages = [stage.addressing for stage in plan_repro(get_active_graph(repo.index.graph))]
    for stage in stages:
        trial.stage = stage
        write_record(trial, trial_file(root, name))
        try:
            if stage == "train":
                _train(workspace, root, trial, sweep)
            else:
                _run(stage, workspace, root, trial)
        except DvcException as error:  # the stage has said why
            sys.exit(f"{stage}: {error}")
    trial.stage = None
    trial.metrics, trial.curves = metrics_of(workspace), curves_of(workspace)
    trial.experiment = _save(workspace, root, f"sweep-{name}")
    write_record(trial, trial_file(root, name))


def _train(workspace: Path, root: Path, trial: Trial, sweep: Sweep) -> None:
    """Run or restore the training and follow it; exit when the pruner ended it."""
    pruner = Pruner(sweep.prune, storage_url(root, sweep.name), trial.id) if sweep.prune else None
    try:
        with Follower(workspace, root, trial, pruner) as follower:
            _run("train", workspace, root, trial)
    except DvcException:
        if not follower.ended:
            raise
    if pruner:
        pruner.close(trial.curves if follower.ended else curves_of(workspace), follower.ended)
    if follower.ended:
        sys.exit(ENDED)


def _run(name: str, workspace: Path, root: Path, trial: Trial) -> None:
    """Run or restore one stage, and note which it was."""
    began = time.monotonic()
    with guarded(workspace), Repo(str(workspace)) as repo:
        (stage,) = repo.stage.collect(name)
        before = _executed(workspace, name)
        with locked(root / FOLDER / "locks" / f"{name}-{_inputs(stage, workspace)[:24]}"):
            repo.reproduce(targets=[name], single_item=True)
    ran = _executed(workspace, name) > before
    trial.stages[name] = "ran" if ran or name == "configure" else "restored"
    trial.seconds[name] = round(time.monotonic() - began, 2)


def _inputs(stage: Any, workspace: Path) -> str:
    """A digest of what enters a stage now."""
    parts: list[Any] = [str(stage.cmd)]
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            text = (workspace / dep.def_path).read_text(encoding="utf-8")
            parts.append((yaml.safe_load(text) or {}).get("key", text))
        else:
            parts.append([dep.def_path, dep.get_hash().value if dep.exists else None])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _executed(workspace: Path, stage: str) -> int:
    """How often the stage has been executed in this workspace: its script notes it, and a restored one runs none."""
    file = workspace / HISTORY
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return sum(json.loads(line)["stage"] == stage for line in lines)


def _save(workspace: Path, root: Path, name: str) -> str:
    """Save the workspace as a DVC experiment and give the project its reference; return the experiment's name."""
    with Repo(str(workspace)) as repo:
        repo.experiments.save(name=name, force=True)
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname)", "refs/exps"], capture_output=True, text=True, check=True
    )
    refs = [ref for ref in listed.stdout.split() if ref.endswith(f"/{name}")]
    pushed = [f"+{ref}:{ref}" for ref in refs]
    subprocess.run(["git", "push", "--quiet", str(root), *pushed], check=True, capture_output=True)
    return name


if __name__ == "__main__":
    main()
