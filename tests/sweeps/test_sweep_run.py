"""Real sweeps over a small config: shared stages, started again, grown, failing, applied; nothing of the user's moves."""

import json
from pathlib import Path

import pytest
from workspaces import QUICK_PARAMS, call, workspace

from stagewise.sweeps.record import Trial, read_sweep, trials_of

pytestmark = pytest.mark.long  # minutes


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which one sweep of two learning rates has run."""
    root = workspace(tmp_path_factory.mktemp("swept") / "project")
    (root / "params.yaml").write_text(QUICK_PARAMS)
    (root / "dvc.lock").unlink(missing_ok=True)
    call(root, "git", "add", "--all")
    call(root, "git", "commit", "--quiet", "--message", "small")
    call(root, "stagewise", "sweep", "-m", "optimizer.lr=0.01,0.02", "--jobs", "2")
    return root


def trials(root: Path, name: str = "sweep") -> list[Trial]:
    sweep = read_sweep(root, name)
    assert sweep is not None
    return list(trials_of(root, sweep))


def executed(root: Path, stage: str) -> int:
    return sum(trial.stages.get(stage) == "ran" for trial in trials(root))


def test_each_trial_is_finished_and_an_experiment(swept: Path) -> None:
    found = trials(swept)
    assert [trial.state for trial in found] == ["finished", "finished"]
    assert len({trial.metrics["val_loss"] for trial in found}) == 2
    shown = call(swept, "dvc", "exp", "show", "--json").stdout
    assert all(trial.experiment in shown for trial in found)


def test_what_trials_share_is_computed_once(swept: Path) -> None:
    assert (executed(swept, "ingest"), executed(swept, "preprocess"), executed(swept, "train")) == (1, 1, 2)


def test_nothing_of_the_users_is_touched(swept: Path) -> None:
    assert call(swept, "git", "status", "--porcelain").stdout == ""
    assert call(swept, "git", "branch", "--list").stdout.count("\n") == 1
    assert not [path for path in (swept / ".stagewise/sweeps/work").iterdir() if path.is_dir()]


def test_no_figure_of_the_test_split_is_kept(swept: Path) -> None:
    for trial in trials(swept):
        assert not {"accuracy", "f1_macro", "nll"} & trial.metrics.keys()


def test_a_grown_sweep_runs_what_is_new_and_a_known_one_nothing(swept: Path) -> None:
    before = {trial.id: trial.ended for trial in trials(swept)}
    printed = call(swept, "stagewise", "sweep", "-m", "optimizer.lr=0.01,0.02,0.03").stdout
    after = {trial.id: trial.ended for trial in trials(swept)}
    assert len(after) == 3
    assert before.items() <= after.items()
    assert "optimizer.lr" in printed or "lr" in printed
    call(swept, "stagewise", "sweep", "-m", "optimizer.lr=0.01,0.02,0.03")
    assert {trial.id: trial.ended for trial in trials(swept)} == after


def test_a_change_of_compression_alone_restores_the_training(swept: Path) -> None:
    call(swept, "stagewise", "sweep", "--name", "small", "-m", "compress.max_drop=0.1,0.2", "optimizer.lr=0.01")
    for trial in trials(swept, "small"):
        assert {stage for stage, state in trial.stages.items() if state == "ran"} <= {
            "configure",
            "compress",
            "package",
        }


def test_the_best_trial_can_be_applied_and_then_nothing_runs(swept: Path) -> None:
    best = call(swept, "stagewise", "sweep", "best", "--name", "sweep").stdout.strip()
    found = {trial.id: trial.metrics["val_loss"] for trial in trials(swept)}
    assert best == min(found, key=lambda name: found[name])
    call(swept, "stagewise", "sweep", "apply", best[:8])
    assert "Running stage" not in call(swept, "dvc", "repro").stdout
    assert json.loads((swept / "reports/evaluation/metrics.json").read_text())["accuracy"] > 0
    call(swept, "git", "checkout", "--quiet", ".")


def test_trials_survive_a_push_and_a_fresh_clone(swept: Path, tmp_path: Path) -> None:
    origin, storage, clone = tmp_path / "origin.git", tmp_path / "storage", tmp_path / "clone"
    call(swept, "git", "clone", "--quiet", "--bare", ".", str(origin))
    call(swept, "git", "remote", "add", "origin", str(origin))
    call(swept, "dvc", "remote", "add", "--local", "--default", "storage", str(storage))
    best = next(trial for trial in trials(swept) if trial.state == "finished")
    call(swept, "dvc", "exp", "push", "origin", best.experiment)
    call(tmp_path, "git", "clone", "--quiet", str(origin), str(clone))
    call(clone, "dvc", "remote", "add", "--local", "--default", "storage", str(storage))
    call(clone, "dvc", "exp", "pull", "origin", best.experiment)
    call(clone, "dvc", "exp", "apply", best.experiment)
    call(clone, "dvc", "checkout")
    assert "Running stage" not in call(clone, "dvc", "repro").stdout
    assert (clone / "models/trained/model.safetensors").is_file()


def test_optuna_searches_ends_trainings_early_and_goes_on(swept: Path) -> None:
    (swept / "conf/sweep/mine.yaml").write_text(
        "name: mine\n"
        "params: {optimizer: [adamw, sgd], optimizer.lr: 'tag(log, interval(1e-4, 1e-1))', trainer.max_epochs: 9}\n"
        "when: {optimizer=sgd: {optimizer.momentum: [0.5, 0.9]}}\n"
        "prune: halving\n"
        "hydra: [hydra/sweeper=optuna, hydra.sweeper.n_trials=4]\n"
    )
    call(swept, "git", "add", "conf/sweep/mine.yaml")
    call(swept, "stagewise", "sweep", "-m", "sweep=mine", "--jobs", "2")
    found = trials(swept, "mine")
    assert len(found) == 4 and {trial.state for trial in found} <= {"finished", "pruned"}
    for trial in found:
        assert any("momentum" in text for text in trial.overrides) == ("optimizer=sgd" in trial.overrides)
        assert len(trial.curves["val_loss"]) == 9 or trial.state == "pruned"
    call(swept, "stagewise", "sweep", "-m", "sweep=mine", "hydra.sweeper.n_trials=5", "--jobs", "2")
    after = trials(swept, "mine")
    assert [trial.id for trial in after[:4]] == [trial.id for trial in found] and len(after) == 5
    call(swept, "git", "rm", "-qf", "conf/sweep/mine.yaml")


def test_two_dozen_trials_prepare_the_data_once(swept: Path) -> None:
    space = ["-m", "optimizer.lr=1e-3,2e-3,3e-3,4e-3,5e-3,6e-3,7e-3,8e-3", "optimizer.weight_decay=1e-4,1e-3,1e-2"]
    call(swept, "stagewise", "sweep", "--name", "many", *space, "--jobs", "2")
    found = trials(swept, "many")
    assert [trial.state for trial in found] == ["finished"] * 24
    ran = {stage: sum(trial.stages[stage] == "ran" for trial in found) for stage in ("ingest", "preprocess", "train")}
    assert ran == {"ingest": 0, "preprocess": 0, "train": 24}  # the first sweep of this project did that
    ended = {trial.id: trial.ended for trial in found}
    call(swept, "stagewise", "sweep", "--name", "many", *space)
    assert {trial.id: trial.ended for trial in trials(swept, "many")} == ended


def test_a_failing_trial_stops_no_other(swept: Path) -> None:
    done = call(
        swept, "stagewise", "sweep", "--name", "bad", "-m", "optimizer.lr=0.01,1e30", "trainer.max_epochs=1", code=1
    )
    states = {trial.overrides[0]: trial.state for trial in trials(swept, "bad")}
    assert sorted(states.values()) == ["failed", "finished"]
    failed = next(trial for trial in trials(swept, "bad") if trial.state == "failed")
    assert failed.stage == "train"
    assert "not finite" in failed.error
    assert failed.log in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "model=cnn,cnm"], "there is no conf/model/cnm.yaml"),
        (["-m", "model=cnn", "--objective", "accuracy"], "never at the test split"),
        (["show", "--name", "none"], "there is no sweep 'none'"),
        (["apply", "ffffffff"], "cannot be applied"),
    ],
)
def test_mistakes_are_told_before_anything_runs(swept: Path, arguments: list[str], said: str) -> None:
    assert said in call(swept, "stagewise", "sweep", *arguments, code=2).stderr
