import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stagewise.errors import TrainingError
from stagewise.training.callbacks import FiniteLoss, History, WeightAverage, read_history


def trainer_of(**values: Any) -> Any:
    return SimpleNamespace(**{"is_global_zero": True, "current_epoch": 0, "max_epochs": 3, **values})


def test_history_is_exact_and_leaves_unknown_columns_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.csv"
    history = History(path)
    module: Any = SimpleNamespace(
        metrics=("train_loss", "train_accuracy", "val_loss", "val_accuracy"),
        epoch_metrics={"train_loss": 0.1 + 0.2, "train_accuracy": 1 / 3, "lr": 1e-05},
    )
    history.on_fit_start(trainer_of(), module)
    with caplog.at_level(logging.INFO):
        history.on_train_epoch_end(trainer_of(), module)
    assert path.read_bytes() == (
        b"epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr\n1,0.30000000000000004,0.3333333333333333,,,1e-05\n"
    )
    assert read_history(path) == [{"epoch": 1, **module.epoch_metrics}]
    assert "epoch 1/3" in caplog.text


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv")
    module: Any = SimpleNamespace(metrics=("train_loss",), epoch_metrics={"train_loss": 1.0})
    history.on_fit_start(trainer_of(is_global_zero=False), module)
    history.on_train_epoch_end(trainer_of(is_global_zero=False), module)
    assert not list(tmp_path.iterdir())


def test_distributed_processes_look_together_now_and_then() -> None:
    asked: list[bool] = []

    def reduce(failed: bool, **_: bool) -> bool:
        asked.append(failed)
        return True  # another process has failed

    strategy = SimpleNamespace(reduce_boolean_decision=reduce)
    trainer = trainer_of(world_size=2, num_training_batches=120, strategy=strategy, precision="32-true")
    module: Any = SimpleNamespace(device=torch.device("cpu"), loss_sum=lambda: torch.tensor(1.0), learning_rate=0.5)
    guard = FiniteLoss(interval=50)
    guard.on_train_batch_end(trainer, module, None, None, 0)
    assert asked == []
    for batch in (49, 119):
        with pytest.raises(TrainingError, match=f"step {batch + 1} of 120"):
            guard.on_train_batch_end(trainer, module, None, None, batch)
    assert asked == [False, False]


def test_average_forgets_its_random_start() -> None:
    average = WeightAverage(decay=0.9)._kwargs["multi_avg_fn"]
    averages, current = [torch.zeros(2)], [torch.ones(2)]
    average(averages, current, torch.tensor(1))
    assert averages[0].tolist() == pytest.approx([9 / 11] * 2)
    average(averages, current, torch.tensor(10_000))
    assert averages[0].tolist() == pytest.approx([1 - 0.9 * 2 / 11] * 2)
    counts = [torch.tensor(3)]
    average(counts, [torch.tensor(7)], torch.tensor(5))
    assert counts[0].item() == 7
