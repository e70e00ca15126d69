"""A search from its arguments to its last trial: checks, a snapshot of what is searched over, Hydra's multirun."""

import os
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hydra.errors import HydraException
from omegaconf.errors import ConfigAttributeError

from stagewise.config.cache import cache_folder
from stagewise.config.compose import compose
from stagewise.config.schema.sweep import Pruner
from stagewise.errors import SweepError
from stagewise.sweeps.app import Conditions, main, write_config
from stagewise.sweeps.base import snapshot
from stagewise.sweeps.measures import objectives_from
from stagewise.sweeps.output.live import LiveTable
from stagewise.sweeps.prune import open_pruning, pruning_from
from stagewise.sweeps.record import (
    FOLDER,
    Sweep,
    is_held,
    storage_url,
    sweep_file,
    trial_lock,
    write_record,
)
from stagewise.sweeps.runner import Plan, stop_file, trial_id
from stagewise.sweeps.space import Space, check_space
from stagewise.sweeps.workspace import make_workspace

_STARTS = 3
"""How often the launcher's workers may die before the sweep gives up."""


@dataclass(frozen=True)
class Search:
    """What was asked for on the command line.

    Attributes:
        jobs: trials at once; None takes as many as the cores allow.
        typed: the command line, for the record.
    """

    name: str
    space: Space
    when: Conditions
    objectives: list[str]
    prune: Pruner | None
    on_error: Literal["continue", "stop"]
    jobs: int | None
    mlflow: bool
    typed: list[str]


def search(root: Path, asked: Search) -> None:
    """Run the trials that have not run yet; what came of them is in their records.

    Raises:
        SweepError, ConfigError: the sweep cannot run; no trial was.
    """
    _check_sweeper(asked.space)
    objectives = objectives_from(asked.objectives, compose(root).trainer)
    project = check_space(root, asked.space)
    pruning = pruning_from(asked.prune, objectives, project.trainer)
    head, snap = snapshot(root)
    folder, cache = root / FOLDER / asked.name, cache_folder(root)
    _clear(root)
    base = make_workspace(root, head, snap, cache, folder / "base")
    stop_file(root, asked.name).unlink(missing_ok=True)
    write_record(
        Sweep(
            name=asked.name, arguments=asked.typed, objectives=objectives, base=snap,
            total=asked.space.total, prune=pruning,
        ),
        sweep_file(root, asked.name),
    )  # fmt: skip
    if pruning:
        open_pruning(pruning, storage_url(root, asked.name))  # its tables are made once, not by all trials at a time
    devices = _devices()
    jobs = asked.jobs or len(devices) or max((os.cpu_count() or 1) // project.threads, 1)
    plan = Plan(
        root=root, sweep=asked.name, base=base, head=head, snapshot=snap,
        project=trial_id(base, snap, []), cache=cache.parent.parent,
        objectives=objectives, prunes=pruning is not None, on_error=asked.on_error, devices=devices,
        jobs=jobs, mlflow=asked.mlflow,
    )  # fmt: skip
    arguments = write_config(folder / "hydra", plan, asked.space, asked.when)
    try:
        with LiveTable(root, asked.name):
            _run(arguments)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _check_sweeper(space: Space) -> None:
    endless = [item.key for item in space.dimensions if item.is_interval]
    if endless and not any(text.startswith("hydra/sweeper") for text in space.hydra):
        raise SweepError(
            f"no grid can be laid over the interval of {endless[0]}",
            where=endless[0],
            fix=f"add hydra/sweeper=optuna, which chooses within it, or name values: {endless[0]}=1,2,3",
        )


def _run(arguments: list[str]) -> None:
    """Start Hydra; again when a worker of the launcher was killed, since what was done is not done twice.

    Raises:
        SweepError: workers were killed again and again, or Hydra refuses the arguments.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError  # type: ignore[import-untyped]

    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints a traceback and exits by itself
    for _ in range(_STARTS):
        sys.argv = ["stagewise sweep", *arguments]
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
                main()
        except TerminatedWorkerError:
            print("a worker of the sweep was killed; its trials go on from where they were", flush=True)
        except ImportError as error:
            raise SweepError(
                "a library that the sweep was to use is not installed",
                where=", ".join(text for text in arguments if text.startswith("hydra/")) or None,
                why=str(error),
                fix="pip install hydra-submitit-launcher (SLURM) or hydra-ray-launcher (Ray)",
            ) from error
        except (HydraException, ConfigAttributeError) as error:
            said = [line for line in f"{error}\n{error.__cause__ or ''}".splitlines() if line.strip()]
            raise SweepError(
                "Hydra cannot run the sweep",
                why=said[0],
                details=said[1:8],
                fix="correct the arguments that begin with hydra",
            ) from error
        else:
            return
    raise SweepError(
        f"workers of the sweep were killed {_STARTS} times",
        why="the system does that when memory runs out",
        fix="start the same sweep with fewer trials at once: --jobs 1",
    )


def _clear(root: Path) -> None:
    """Remove the workspaces that killed trials left; those of trials that run now are left alone."""
    work = root / FOLDER / "work"
    for workspace in work.iterdir() if work.is_dir() else ():
        if not is_held(trial_lock(root, workspace.name)):
            shutil.rmtree(workspace, ignore_errors=True)


def _devices() -> list[str]:
    """GPUs that may be shared out: those that CUDA_VISIBLE_DEVICES names, else those that the driver shows."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [device.strip() for device in named.split(",") if device.strip() not in ("", "-1")]
    gpus = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(gpus.iterdir())))] if gpus.is_dir() else []
