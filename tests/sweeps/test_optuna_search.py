"""The search with Optuna: what is asked, what is told, and that a killed or grown study goes on."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from stagewise.errors import SweepError
from stagewise.sweeps.optuna_search import OptunaSearch
from stagewise.sweeps.record import FOLDER, Objective, Sweep, add_trials, read_sweep, sweep_file, write_record
from stagewise.sweeps.runner import Ended, Plan, stop_file

optuna = pytest.importorskip("optuna")

TPE = {"_target_": "optuna.samplers.TPESampler", "seed": 0, "n_startup_trials": 3}
Outcome = Callable[[dict[str, str]], Any]


class Launcher:
    """Stands for Hydra's: runs a job by calling a function of its settings."""

    def __init__(self, root: Path, outcome: Outcome) -> None:
        self.root, self.outcome = root, outcome
        self.batches: list[list[list[str]]] = []

    def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[Any]:
        assert initial_job_idx == sum(len(batch) for batch in self.batches)
        self.batches.append([list(job) for job in overrides])
        add_trials(self.root, "s", [" ".join(sorted(job)) for job in overrides])
        return [SimpleNamespace(return_value=self.outcome(settings(job))) for job in overrides]

    @property
    def jobs(self) -> list[dict[str, str]]:
        return [settings(job) for batch in self.batches for job in batch]


def settings(job: Sequence[str]) -> dict[str, str]:
    return {key: value for key, _, value in (text.partition("=") for text in job)}


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Launcher]:
    """Runs one search in the same folder and returns its launcher."""
    objectives = [Objective(metric="val_loss", direction="min")]

    def run(arguments: list[str], outcome: Outcome, *, directions: str = "min", **changed: Any) -> Launcher:
        chosen = objectives if directions == "min" else [*objectives, Objective(metric="score", direction="max")]
        write_record(Sweep(name="s", arguments=[], objectives=chosen, base="b"), sweep_file(tmp_path, "s"))
        plan = Plan(
            root=tmp_path, sweep="s", base=tmp_path, head="h", snapshot="h", project="p", cache=tmp_path,
            objectives=chosen, prunes=False, on_error="continue", devices=[], jobs=2, mlflow=False,
        )  # fmt: skip
        launcher = Launcher(tmp_path, outcome)
        monkeypatch.setattr(Plugins, "instantiate_launcher", lambda *_, **__: launcher)
        config = OmegaConf.create({"stagewise": plan.model_dump(mode="json"), "hydra": {"launcher": {"n_jobs": 2}}})
        keys = {"sampler": TPE, "n_trials": 6, "n_jobs": None, "storage": None, "study_name": None} | changed
        keys = {"params": None, "when": None} | keys
        typed = {k: OmegaConf.create(v) if isinstance(v, dict) else v for k, v in keys.items()}
        OptunaSearch(None, None, config, **typed).run(arguments)  # type: ignore[arg-type]
        return launcher

    return run


def near(settings: dict[str, str]) -> float:
    return (math.log10(float(settings["lr"])) + 2) ** 2


def test_points_are_asked_in_batches_within_their_bounds(search: Callable[..., Launcher]) -> None:
    space = ["lr=tag(log,interval(1e-4,1e-1))", "width=range(8,33,8)", "model=cnn,mlp", "batch=64"]
    ran = search(space, near, n_trials=7)
    assert [len(batch) for batch in ran.batches] == [2, 2, 2, 1]
    for job in ran.jobs:
        assert 1e-4 <= float(job["lr"]) <= 1e-1
        assert job["width"] in ("8", "16", "24", "32")
        assert job["model"] in ("cnn", "mlp")
        assert job["batch"] == "64"
    assert len({job["lr"] for job in ran.jobs}) == 7


def test_a_search_gets_nearer(search: Callable[..., Launcher]) -> None:
    jobs = search(["lr=tag(log,interval(1e-6,1.0))"], near, n_trials=24).jobs
    assert sum(map(near, jobs[-8:])) < sum(map(near, jobs[:8]))


def test_values_of_one_run_depend_on_the_seed_alone(search: Callable[..., Launcher], tmp_path: Path) -> None:
    first = search(["lr=interval(0.0,1.0)"], lambda job: float(job["lr"]), n_trials=4).jobs
    (tmp_path / FOLDER / "s" / "optuna.db").unlink()
    assert search(["lr=interval(0.0,1.0)"], lambda job: float(job["lr"]), n_trials=4).jobs == first


def test_each_point_is_repeated_over_the_seeds_and_told_as_their_mean(search: Callable[..., Launcher]) -> None:
    ran = search(["lr=interval(0.0,1.0)", "seed=range(3)"], lambda job: float(job["seed"]), n_trials=2)
    assert [job["seed"] for job in ran.jobs] == ["0", "1", "2"] * 2
    assert len({job["lr"] for job in ran.jobs}) == 2
    assert values(ran.root) == [1.0, 1.0]


def test_a_study_started_again_runs_what_is_missing(search: Callable[..., Launcher], tmp_path: Path) -> None:
    first = search(["lr=interval(0.0,1.0)"], lambda job: float(job["lr"]), n_trials=4).jobs
    assert search(["lr=interval(0.0,1.0)"], lambda job: float(job["lr"]), n_trials=4).jobs == []
    sweep = read_sweep(tmp_path, "s")
    assert sweep and len(sweep.trials) == 4  # they are still its trials
    more = search(["lr=interval(0.0,1.0)"], lambda job: float(job["lr"]), n_trials=6).jobs
    assert len(more) == 2
    assert not {job["lr"] for job in more} & {job["lr"] for job in first}  # the sampler does not begin anew


def test_points_that_failed_or_were_killed_are_asked_again_once(search: Callable[..., Launcher]) -> None:
    failing = search(["lr=interval(0.0,1.0)"], lambda _: math.nan, n_trials=2).jobs

    def killed(_: dict[str, str]) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(["lr=interval(0.0,1.0)"], killed, n_trials=2)
    again = search(["lr=interval(0.0,1.0)"], lambda job: float(job["lr"]), n_trials=2).jobs
    assert again == failing


def test_another_space_is_another_study(search: Callable[..., Launcher]) -> None:
    assert len(search(["lr=interval(0.0,1.0)"], lambda _: 1.0, n_trials=2).jobs) == 2
    assert len(search(["lr=interval(0.0,2.0)"], lambda _: 1.0, n_trials=2).jobs) == 2


def test_trials_that_were_ended_early_count_and_have_no_value(search: Callable[..., Launcher]) -> None:
    ran = search(["lr=interval(0.0,1.0)"], lambda _: Ended(0.5), n_trials=2)
    assert values(ran.root) == [None, None]
    assert search(["lr=interval(0.0,1.0)"], lambda _: 1.0, n_trials=2).jobs == []


def test_several_objectives(search: Callable[..., Launcher]) -> None:
    space = ["lr=interval(0.0,1.0)"]
    sampler = {"_target_": "optuna.samplers.NSGAIISampler", "seed": 0}
    ran = search(space, lambda job: [float(job["lr"]), 1.0], directions="two", sampler=sampler, n_trials=3)
    (study,) = studies(ran.root)
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert sorted(trial.values for trial in study.trials) == sorted([float(job["lr"]), 1.0] for job in ran.jobs)


def test_cma_es_searches_numbers(search: Callable[..., Launcher]) -> None:
    sampler = {"_target_": "optuna.samplers.CmaEsSampler", "seed": 0}
    jobs = search(["lr=interval(-1.0,1.0)", "b=interval(-1.0,1.0)"], square, sampler=sampler, n_trials=30).jobs
    assert sum(map(square, jobs[-10:])) < sum(map(square, jobs[:10]))


def square(job: dict[str, str]) -> float:
    return float(job["lr"]) ** 2 + float(job["b"]) ** 2


def test_keys_are_asked_under_their_condition_only(search: Callable[..., Launcher]) -> None:
    when = {"model=cnn": {"width": "8,16"}}
    jobs = search(["model=cnn,mlp"], lambda _: 1.0, when=when, n_trials=12).jobs
    assert {job["model"] for job in jobs} == {"cnn", "mlp"}
    assert all(("width" in job) == (job["model"] == "cnn") for job in jobs)


def test_a_grid_is_one_batch(search: Callable[..., Launcher], tmp_path: Path) -> None:
    sampler = {"_target_": "optuna.samplers.GridSampler"}
    ran = search(["model=cnn,mlp", "seed=1,2"], lambda _: 1.0, sampler=sampler, when={"model=cnn": {"width": "8,16"}})
    assert [len(batch) for batch in ran.batches] == [6]
    sweep = read_sweep(tmp_path, "s")
    assert sweep and sweep.total == 6
    with pytest.raises(SweepError, match="no grid can be laid over the interval of lr"):
        search(["lr=interval(0,1)"], lambda _: 1.0, sampler=sampler)


def test_params_of_hydras_config_lie_under_the_command_line(search: Callable[..., Launcher]) -> None:
    params = {"model": "cnn,mlp", "width": "choice(1,2)"}
    jobs = search(["model=vit"], lambda _: 1.0, params=params, n_trials=2).jobs
    assert {job["model"] for job in jobs} == {"vit"}
    assert {job["width"] for job in jobs} <= {"1", "2"}


def test_a_stopped_sweep_asks_for_no_more(search: Callable[..., Launcher], tmp_path: Path) -> None:
    def stop(_: dict[str, str]) -> float:
        stop_file(tmp_path, "s").touch()
        return math.nan

    assert len(search(["lr=interval(0.0,1.0)"], stop, n_trials=10).batches) == 1


def test_nothing_but_samplers_of_optuna_is_made(search: Callable[..., Launcher]) -> None:
    with pytest.raises(SweepError, match=r"'os\.getcwd' is no sampler"):
        search(["lr=1,2"], lambda _: 1.0, sampler={"_target_": "os.getcwd"})


def studies(root: Path) -> list[Any]:
    storage = f"sqlite:///{root / FOLDER / 's' / 'optuna.db'}"
    return [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]


def values(root: Path) -> list[float | None]:
    (study,) = studies(root)
    return [trial.value if trial.state.name == "COMPLETE" else None for trial in study.trials]
