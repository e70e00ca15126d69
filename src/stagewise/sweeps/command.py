"""``stagewise sweep``: start a search, or look at one."""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console

from stagewise.config.locks import hold
from stagewise.config.schema.sweep import Pruner
from stagewise.errors import SweepError
from stagewise.sweeps.record import (
    FOLDER,
    SHARED,
    Sweep,
    Trial,
    read_sweep,
    read_trial,
    sweep_names,
    trials_of,
)

LOOKS = ("show", "best", "apply", "export")


def run(root: Path, arguments: Sequence[str]) -> int:
    """Run the command with its arguments; return the exit code: 1 when a trial failed.

    Raises:
        SweepError, ConfigError: the sweep cannot run, or is not there.
    """
    if arguments and arguments[0] in LOOKS:
        return _look(root, arguments[0], list(arguments[1:]))
    options, overrides = _parser().parse_known_args(list(arguments))
    return _sweep(root, options, overrides, list(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stagewise sweep",
        description="Run the whole pipeline for every choice, each trial isolated, no stage computed twice.",
        epilog="also: stagewise sweep show|best|export [--name NAME], sweep apply TRIAL. Overrides are Hydra's: "
        "model=cnn,mlp optimizer.lr=1e-3,1e-2 'seed=range(3)', hydra/sweeper=optuna, sweep=<file of conf/sweep/>",
    )
    parser.add_argument("-m", "--multirun", action="store_true", help="as Hydra has it; always on")
    parser.add_argument("--name", help="of the sweep (its file's, else sweep)")
    parser.add_argument(
        "--objective",
        action="append",
        default=[],
        metavar="METRIC[:min|max]",
        help="what to choose by; may be repeated",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="trials at once (cores / threads)")
    parser.add_argument("--prune", choices=get_args(Pruner), help="end trainings that do badly, by this rule")
    parser.add_argument("--mlflow", action="store_true", help="log each trial as a run of MLflow, too")
    parser.add_argument("--on-error", choices=("continue", "stop"), default="continue", help="when a trial fails")
    return parser


def _sweep(root: Path, options: argparse.Namespace, arguments: list[str], typed: list[str]) -> int:
    from stagewise.sweeps.mlflow_runs import check_mlflow, log_trials
    from stagewise.sweeps.ready import expand
    from stagewise.sweeps.search import Search, search
    from stagewise.sweeps.space import read_space

    if options.mlflow:
        check_mlflow()
    overrides, ready = expand(root, arguments)
    name = options.name or ready.name or "sweep"
    _check_name(name)
    asked = Search(
        name=name,
        space=read_space(overrides, ready.when),
        when=dict(ready.when),
        objectives=options.objective or ready.objectives,
        prune=options.prune or ready.prune,
        on_error=options.on_error,
        jobs=options.jobs,
        mlflow=options.mlflow,
        typed=typed,
    )
    with hold(root, f"sweep {name}", f"the sweep {name}"):
        try:
            search(root, asked)
        except KeyboardInterrupt:
            print("stagewise sweep: interrupted; the same command goes on from here", file=sys.stderr)
            raise
    if options.mlflow:
        log_trials(root, *_load(root, name))  # also those that ran before MLflow was chosen
    return _finish(root, name)


def _finish(root: Path, name: str) -> int:
    sweep, trials = _load(root, name)
    _print(sweep, trials, root)
    return int(any(trial.state == "failed" for trial in trials))


def _look(root: Path, what: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"stagewise sweep {what}")
    if what == "apply":
        parser.add_argument("trial", metavar="TRIAL", help="id of a trial, or its first digits")
    if what == "export":
        parser.add_argument("file", type=Path, metavar="FILE", help=".csv or .parquet")
    parser.add_argument("--name", help="of the sweep (the newest)")
    options = parser.parse_args(arguments)
    if what == "apply":
        return apply(root, options.trial)
    names = sweep_names(root)
    if not names:
        raise SweepError("there is no sweep yet", where=str(FOLDER), fix="stagewise sweep -m model=cnn,mlp")
    sweep, trials = _load(root, options.name or names[-1])
    if what == "show":
        _print(sweep, trials, root)
    elif what == "best":
        print(_best(sweep, trials).id)
    else:
        from stagewise.sweeps.output.export import export

        export(sweep, trials, options.file)
        print(options.file)
    return 0


def apply(root: Path, trial: str) -> int:
    """Write a trial's params.yaml and restore its outputs, so that ``dvc repro`` then runs nothing.

    Raises:
        SweepError: there is no such finished trial, or params.yaml has changes that would be lost.
    """
    found = sorted(file.stem for file in (root / FOLDER / "trials").glob(f"{trial}*.json"))
    record = read_trial(root, found[0]) if len(found) == 1 else None
    if record is None or record.state != "finished":
        why = "no trial begins so" if not found else "several do" if len(found) > 1 else "it has not finished"
        raise SweepError(f"the trial {trial} cannot be applied", why=why, fix="stagewise sweep show lists the trials")
    dirty = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=root, check=False).returncode
    if dirty:
        raise SweepError(
            "the working tree has changes that would be overwritten", fix="git commit or git stash them, then apply"
        )
    done = subprocess.run([sys.executable, "-m", "dvc", "exp", "apply", record.experiment], cwd=root, check=False)
    if done.returncode:
        return done.returncode
    return subprocess.run([sys.executable, "-m", "dvc", "checkout", "--quiet"], cwd=root, check=False).returncode


def _load(root: Path, name: str) -> tuple[Sweep, list[Trial]]:
    sweep = read_sweep(root, name)
    if sweep is None:
        names = sweep_names(root)
        raise SweepError(
            f"there is no sweep {name!r}",
            where=str(FOLDER),
            fix=f"choose one of {', '.join(names)}" if names else "start one",
        )
    return sweep, list(trials_of(root, sweep))


def _best(sweep: Sweep, trials: list[Trial]) -> Trial:
    """Of the best point, the repetition nearest to its mean: not the luckiest seed."""
    from stagewise.sweeps.output.points import rank

    points = rank(trials, sweep.objectives)
    if not points:
        raise SweepError("no trial has finished", fix="stagewise sweep show")
    return points[0].typical(sweep.objectives[0])


def _print(sweep: Sweep, trials: list[Trial], root: Path) -> None:
    from stagewise.sweeps.output.page import to_html
    from stagewise.sweeps.output.table import print_ranking

    page = root / FOLDER / sweep.name / "sweep.html"
    page.write_text(to_html(sweep, trials), encoding="utf-8", newline="\n")
    print_ranking(sweep, trials, Console(highlight=False), page=page.relative_to(root))


def _check_name(name: str) -> None:
    """A sweep's name is that of a folder beside those that all sweeps share."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name in SHARED:
        raise SweepError(
            f"a sweep cannot be called {name!r}",
            where="--name",
            why="letters, digits, dots and dashes, and none of " + ", ".join(SHARED),
            fix="--name my-sweep",
        )
