"""Ending trainings early: which ones, by which curve, and that one that was killed is not counted twice."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stagewise.config.schema.train import TrainerSection
from stagewise.errors import SweepError
from stagewise.sweeps.follow import Follower
from stagewise.sweeps.measures import live_curves
from stagewise.sweeps.prune import Pruner, open_pruning, pruning_from
from stagewise.sweeps.record import Objective, Pruning, Trial, read_trial

LOSS, SIZE = Objective(metric="val_loss", direction="min"), Objective(metric="bytes", direction="min")
TRAINER = TrainerSection(max_epochs=9, batch_size=8, monitor="val_accuracy", mode="max")
EPOCHS = 9


def pruning(rule: str, direction: str = "min") -> Pruning:
    by = {"metric": "val_loss", "direction": direction}
    return Pruning.model_validate({"rule": rule, "by": by, "epochs": EPOCHS})


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'optuna.db'}"


def lasted(rule: Pruning, storage: str, name: str, losses: list[float | None]) -> int:
    """After how many epochs a training with these losses ended."""
    pruner = Pruner(rule, storage, name)
    for epoch in range(1, len(losses) + 1):
        if pruner.ends({"val_loss": losses[:epoch]}):
            pruner.close({"val_loss": losses[:epoch]}, ended=True)
            return epoch
    pruner.close({"val_loss": losses}, ended=False)
    return len(losses)


@pytest.mark.parametrize("rule", ["halving", "median"])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_does_badly_ends_and_what_does_well_goes_on(storage: str, rule: str, direction: str) -> None:
    by, sign = pruning(rule, direction), 1 if direction == "min" else -1
    good = [
        lasted(by, storage, f"good {n}", [sign * (1.0 - n / 10) / e for e in range(1, EPOCHS + 1)]) for n in range(4)
    ]
    assert good == [EPOCHS] * 4
    assert lasted(by, storage, "bad", [sign * 9.0] * EPOCHS) < EPOCHS


def test_hyperband_ends_some_of_many(storage: str) -> None:
    by = pruning("hyperband")
    found = [lasted(by, storage, f"{n}", [float(1 + n % 5) / e for e in range(1, EPOCHS + 1)]) for n in range(15)]
    assert EPOCHS in found and min(found) < EPOCHS


def test_a_training_that_goes_on_is_not_counted_twice(storage: str) -> None:
    by = pruning("median")
    Pruner(by, storage, "a").ends({"val_loss": [3.0, 2.0]})
    again = Pruner(by, storage, "a")
    assert not again.ends({"val_loss": [3.0, 2.0, 1.0]})
    again.close({"val_loss": [3.0, 2.0, 1.0]}, ended=False)
    (trial,) = open_pruning(by, storage).trials
    assert trial.intermediate_values == {1: 3.0, 2: 2.0, 3: 1.0}
    assert trial.value == 1.0


def test_epochs_without_a_figure_say_nothing(storage: str) -> None:
    assert lasted(pruning("median"), storage, "a", [None, float("nan"), 1.0]) == 3
    (trial,) = open_pruning(pruning("median"), storage).trials
    assert trial.intermediate_values == {3: 1.0}


def test_the_whole_curve_counts_of_a_training_out_of_the_cache(storage: str) -> None:
    Pruner(pruning("halving"), storage, "a").close({"val_loss": [2.0, 1.0]}, ended=False)
    (trial,) = open_pruning(pruning("halving"), storage).trials
    assert trial.intermediate_values == {1: 2.0, 2: 1.0}


def test_what_is_pruned_by() -> None:
    assert pruning_from(None, [LOSS], TRAINER) is None
    assert pruning_from("median", [SIZE, LOSS], TRAINER) == pruning("median")
    found = pruning_from("median", [SIZE], TRAINER)
    assert found and (found.by.metric, found.by.direction) == ("val_accuracy", "max")


def test_trainings_of_an_epoch_or_two_cannot_be_pruned() -> None:
    with pytest.raises(SweepError, match="a training of 2 epochs cannot be ended early"):
        pruning_from("median", [LOSS], TRAINER.model_copy(update={"max_epochs": 2}))


@pytest.mark.parametrize(
    ("text", "curves"),
    [
        ("epoch,val_loss,lr\n1,2.0,0.1\n2,1.0,0.1\n", {"val_loss": [2.0, 1.0], "lr": [0.1, 0.1]}),
        ("epoch,val_loss,lr\n1,2.0,0.1\n2,1.", {"val_loss": [2.0], "lr": [0.1]}),
        ("epoch,val_loss,lr\n1,2.0,0.1\n2,,0.1\n", {"val_loss": [2.0, None], "lr": [0.1, 0.1]}),
        ("epoch,val_loss", {}),
        (None, {}),
    ],
)
def test_curves_of_a_training_under_way(tmp_path: Path, text: str | None, curves: dict[str, Any]) -> None:
    if text is not None:
        file = tmp_path / ".stagewise/staging/train/0/history.csv"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    assert live_curves(tmp_path) == curves


@pytest.mark.skipif(sys.platform != "linux", reason="sends a signal to a process below")
def test_the_training_that_is_to_end_is_asked_to(tmp_path: Path) -> None:
    """Also below a shell; the record has its curves by then."""
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/train.py").write_text(
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "Path('.stagewise/staging/train/0').mkdir(parents=True)\n"
        "Path('.stagewise/staging/train/0/history.csv').write_text('epoch,val_loss\\n1,2.0\\n')\n"
        "time.sleep(60)\n"
    )

    class Never:
        def ends(self, curves: dict[str, list[float]]) -> bool:
            return curves == {"val_loss": [2.0]}

    trial = Trial(id="a", overrides=[])
    command = f"{shlex.quote(sys.executable)} stages/train.py; exit $?"
    with Follower(tmp_path, tmp_path, trial, Never()) as follower:  # type: ignore[arg-type]
        assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False).returncode == 143
    assert follower.ended
    written = read_trial(tmp_path, "a")
    assert written and written.curves == {"val_loss": [2.0]}
