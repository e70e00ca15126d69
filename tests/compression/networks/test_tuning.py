"""Training a changed network again: with the project's sections, resumed exactly after a kill."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from steps_lab import STUDENT, as_bytes, make_settings, make_step

from stagewise.compression.steps import Workshop
from stagewise.compression.tuning import Tuning, training_settings
from stagewise.errors import ConfigError
from stagewise.tasks.module import TaskModule

MODEL = {"_target_": "stagewise.models.mlp.MLP"}
KILLED = [
    ("prune.Prune", {"ratio": 0.5, "distill": {"alpha": 0.7}}),
    ("distill.Distill", {"model": STUDENT, "epochs": 2}),
    ("low_rank.LowRank", {"ratio": 0.5}),
    ("sparse.Sparsify", {"ratio": 0.8}),
    ("quantization_aware.QuantizationAware", {}),
]
"""Of 19 batches an epoch and two epochs; the second is begun when the run is killed."""


@pytest.mark.long
def test_a_killed_training_goes_on_to_the_same_weights(cnn_with_norm: Any, workshop: Any, tmp_path: Path) -> None:
    """With dropout, batch normalisation, augmentation and averaged weights; in processes of their own."""
    trainer = {"checkpoint_seconds": 0, "ema_decay": 0.9}
    room = workshop(cnn_with_norm, **trainer)
    runs = [
        {"step": {"_target_": f"stagewise.compression.networks.{name}", **arguments}, "batch": 22 + number}
        for number, (name, arguments) in enumerate(KILLED)
    ]
    order = {
        "settings": make_settings(cnn_with_norm.model, **trainer).model_dump_json(by_alias=True),
        "processed": str(cnn_with_norm.processed),
        "weights": str(cnn_with_norm.weights),
        "work": str(tmp_path / "killed"),
        "runs": runs,
    }
    command = [sys.executable, str(Path(__file__).with_name("kill_step.py"))]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, input=json.dumps(order), env=environ, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for (name, arguments), answer in zip(KILLED, answers, strict=True):
        expected = make_step(name, **arguments).run(room.teacher, room)
        digest = hashlib.sha256(as_bytes(expected, tmp_path / "expected.safetensors")).hexdigest()
        assert answer == {"codes": [-9, 0], "resumed": True, "digest": digest}, name


def test_sections_of_training_are_used_with_the_values_of_the_step() -> None:
    settings = make_settings(
        MODEL, max_epochs=10, devices=2, strategy="ddp", init_from="x.safetensors", freeze=["layers"], ema_decay=0.9
    )
    found = training_settings(settings, Tuning(None, None, None, epoch_share=0.25, lr_share=0.1))
    assert settings.training is not None
    assert (found.trainer.max_epochs, found.trainer.batch_size) == (2, 64)
    assert found.optimizer.arguments == {"lr": pytest.approx(0.0005)}
    assert (found.trainer.devices, found.trainer.strategy, found.trainer.loggers) == (1, "auto", [])
    assert (found.trainer.init_from, found.trainer.freeze) == (None, [])
    assert (found.trainer.ema_decay, found.trainer.monitor) == (0.9, "val_loss")
    assert (found.module, found.augment, found.scheduler) == (
        settings.training.module,
        settings.training.augment,
        settings.training.scheduler,
    )
    assert (found.seed, found.threads, found.rows) == (settings.seed, settings.threads, settings.rows)


def test_values_of_the_step_come_first_and_an_epoch_is_the_least() -> None:
    settings = make_settings(MODEL, max_epochs=1)
    found = training_settings(settings, Tuning(3, 0.5, 7, 0.25, 0.1))
    assert (found.trainer.max_epochs, found.trainer.batch_size, found.optimizer.arguments) == (3, 7, {"lr": 0.5})
    assert training_settings(settings, Tuning(None, None, None, 0.25, 0.1)).trainer.max_epochs == 1


def test_an_optimizer_without_a_rate_keeps_its_own() -> None:
    settings = make_settings(MODEL)
    assert settings.training is not None
    plain = settings.training.model_copy(
        update={"optimizer": settings.training.optimizer.model_copy(update={"lr": None})}
    )
    plain = plain.model_validate(plain.model_dump(by_alias=True) | {"optimizer": {"_target_": "torch.optim.AdamW"}})
    found = training_settings(settings.model_copy(update={"training": plain}), Tuning(None, None, None, 1.0, 0.1))
    assert found.optimizer.arguments == {}


def test_without_training_sections_a_step_says_so() -> None:
    settings = make_settings(MODEL).model_copy(update={"training": None})
    with pytest.raises(ConfigError, match="the compress stage got no training sections"):
        training_settings(settings, Tuning(None, None, None, 1.0, 1.0))


def test_threads_are_those_of_the_settings(cnn: Any, workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they were before, when the network is changed and when it is trained."""
    torch.set_num_threads(2)
    seen = []
    original = TaskModule.on_train_batch_start

    def noted(module: Any, *arguments: Any) -> None:
        seen.append(torch.get_num_threads())
        original(module, *arguments)

    monkeypatch.setattr(TaskModule, "on_train_batch_start", noted)
    room: Workshop = workshop(cnn)
    make_step("low_rank.LowRank", ratio=0.5, epochs=1).run(room.teacher, room)
    assert set(seen) == {1}
