"""Runs in this process, on the tiny dataset."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from stagewise.data.schema import read_schema
from stagewise.data.storage import SplitReader
from stagewise.errors import ConfigError, TrainingError
from stagewise.models.mlp import MLP
from stagewise.tasks.build import load_inference

Fit = Callable[..., tuple[Path, dict[str, float]]]
DROPOUT = {"_target_": "stagewise.models.mlp.MLP", "hidden": [16], "dropout": 0.5}
CNN = {"_target_": "stagewise.models.cnn.CNN", "channels": [4, 8], "hidden": 8}


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model.safetensors")


def history(out: Path) -> list[dict[str, str]]:
    with (out / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_learns_and_writes_weights_and_history(fit: Fit) -> None:
    out, kept = fit(trainer={"max_epochs": 8})
    assert sorted(path.name for path in out.iterdir()) == ["history.csv", "model.safetensors"]
    rows = history(out)
    assert list(rows[0]) == ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"]
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 9)]
    assert all(repr(float(row["val_loss"])) == row["val_loss"] for row in rows)
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert kept["val_accuracy"] == max(float(row["val_accuracy"]) for row in rows) > 0.9


def test_kept_weights_score_what_history_says(fit: Fit, processed: Path, settings: Any) -> None:
    out, kept = fit(model=CNN, trainer={"max_epochs": 3, "ema_decay": 0.9, "eval_batch_size": 7})
    schema = read_schema(processed)
    inference = load_inference(settings(model=CNN), schema, out)
    reader = SplitReader(processed / "validation.arrow", schema.features[0].shape)
    images = torch.from_numpy(reader.take(np.arange(len(reader))))
    labels, probabilities = inference(images)
    loss = torch.nn.functional.nll_loss(probabilities.log(), torch.from_numpy(reader.targets.copy()))
    assert float((labels.numpy() == reader.targets).mean()) == kept["val_accuracy"]
    assert loss.item() == pytest.approx(kept["val_loss"], rel=1e-5)


def test_best_epoch_is_the_first_of_equals(fit: Fit) -> None:
    # Nothing is learnt, so every epoch is as good as the first.
    _, kept = fit(optimizer={"_target_": "torch.optim.SGD", "lr": 0.0}, trainer={"max_epochs": 3})
    assert kept["epoch"] == 1


def test_last_epoch_on_request(fit: Fit) -> None:
    zero = {"_target_": "torch.optim.SGD", "lr": 0.0}
    assert fit(optimizer=zero, trainer={"max_epochs": 3, "keep": "last"})[1]["epoch"] == 3


@pytest.mark.parametrize("monitor, mode", [("train_loss", "min"), ("train_accuracy", "max"), ("val_loss", "min")])
def test_every_metric_can_be_monitored(fit: Fit, monitor: str, mode: str) -> None:
    out, kept = fit(trainer={"max_epochs": 3, "monitor": monitor, "mode": mode})
    best = min if mode == "min" else max
    assert kept[monitor] == best(float(row[monitor]) for row in history(out))


def test_unknown_metric_is_named_with_the_valid_ones(fit: Fit) -> None:
    with pytest.raises(ConfigError, match=r"(?s)val_acc'.*trainer.monitor.*val_loss, val_accuracy"):
        fit(trainer={"monitor": "val_acc"})


def test_wrong_direction_is_refused(fit: Fit) -> None:
    with pytest.raises(ConfigError, match="worst epoch by val_loss"):
        fit(trainer={"monitor": "val_loss"})


def test_early_stopping_ends_a_run_without_progress(fit: Fit) -> None:
    zero = {"_target_": "torch.optim.SGD", "lr": 0.0}
    out, _ = fit(optimizer=zero, trainer={"max_epochs": 20, "early_stopping": {"patience": 2}})
    assert len(history(out)) == 3


def test_checkpoints_are_removed_and_logs_stay(fit: Fit, tmp_path: Path) -> None:
    fit("a", trainer={"loggers": ["csv", "tensorboard"]})
    work = tmp_path / "a" / "work"
    assert [path.name for path in work.iterdir()] == ["logs"]
    assert (work / "logs" / "csv" / "metrics.csv").read_text().count("\n") > 2
    assert list((work / "logs" / "tensorboard").glob("events.out.tfevents.*"))


def test_mlflow_is_asked_for_when_missing(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r'pip install "stagewise\[mlflow\]"'):
        fit(trainer={"loggers": ["mlflow"]})


def test_loss_that_is_not_finite_stops_the_run(fit: Fit) -> None:
    with pytest.raises(TrainingError) as caught:
        fit(optimizer={"_target_": "torch.optim.SGD", "lr": 1e30}, trainer={"max_epochs": 5})
    message = str(caught.value)
    assert "epoch 1, step 3 of 4" in message or "epoch 1, step 2 of 4" in message
    assert "learning rate 1e+30" in message
    assert "trainer.gradient_clip=1.0" in message


def test_accumulation_equals_the_larger_batch(fit: Fit) -> None:
    module = {
        "_target_": "stagewise.tasks.classification.module.ClassificationModule",
        "class_weights": [1.0, 2.0, 0.5],
        "l1": 1e-3,
    }
    large, _ = fit("large", module=module, trainer={"batch_size": 48})
    small, _ = fit("small", module=module, trainer={"batch_size": 24, "accumulate": 2})
    for name, tensor in weights(large).items():
        torch.testing.assert_close(weights(small)[name], tensor, rtol=1e-4, atol=1e-6)


def test_accumulation_shortens_the_schedule(fit: Fit) -> None:
    cycle = {"_target_": "stagewise.training.schedules.one_cycle"}
    out, _ = fit(scheduler=cycle, trainer={"accumulate": 3, "max_epochs": 3})
    # 4 batches are 2 optimiser steps; the last of 6 steps has the sixth rate.
    assert float(history(out)[-1]["lr"]) < 0.003


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_other_precisions_run_and_save_float32(fit: Fit, precision: str) -> None:
    noise = {"_target_": "stagewise.data.augment.noise.Noise"}
    out, kept = fit(model=CNN, augment={"transforms": [noise]}, trainer={"precision": precision})
    assert {tensor.dtype for tensor in weights(out).values()} == {torch.float32}
    assert kept["train_loss"] < 1.2


def test_gradient_clipping_bounds_the_step(fit: Fit) -> None:
    sgd = {"_target_": "torch.optim.SGD", "lr": 1.0}
    torch.manual_seed(0)
    start = MLP((1, 8, 8), 3, hidden=[16])
    out, _ = fit(optimizer=sgd, trainer={"max_epochs": 1, "batch_size": 96, "gradient_clip": 0.01})
    moved = sum(float((weights(out)[name] - p).square().sum()) for name, p in start.state_dict().items()) ** 0.5
    assert moved == pytest.approx(0.01, rel=1e-2)


def test_clipping_a_fused_optimizer_in_float16_is_refused(fit: Fit) -> None:
    fused = {"_target_": "torch.optim.AdamW", "lr": 0.01, "fused": True}
    with pytest.raises(ConfigError, match=r"optimizer\.fused=false"):
        fit(optimizer=fused, trainer={"precision": "16-mixed", "gradient_clip": 1.0})


def test_average_is_another_model_with_the_same_course(fit: Fit) -> None:
    plain, _ = fit("plain", model=DROPOUT, trainer={"keep": "last"})
    averaged, _ = fit("averaged", model=DROPOUT, trainer={"keep": "last", "ema_decay": 0.9})
    assert [row["train_loss"] for row in history(plain)] == [row["train_loss"] for row in history(averaged)]
    assert any(not torch.equal(tensor, weights(averaged)[name]) for name, tensor in weights(plain).items())


def test_augmentation_with_soft_labels(fit: Fit) -> None:
    names = ("mixup.Mixup", "cutmix.CutMix", "shift.Shift")
    transforms = [{"_target_": f"stagewise.data.augment.{name}"} for name in names]
    module = {
        "_target_": "stagewise.tasks.classification.module.ClassificationModule",
        "class_weights": "balanced",
        "label_smoothing": 0.1,
    }
    out, _ = fit("soft", module=module, augment={"transforms": transforms}, trainer={"max_epochs": 10})
    rows = history(out)
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])


def test_memory_layout_changes_nothing_but_rounding(fit: Fit) -> None:
    last, _ = fit("last", model=CNN, trainer={"channels_last": True})
    first, _ = fit("first", model=CNN, trainer={"channels_last": False})
    for name, tensor in weights(last).items():
        torch.testing.assert_close(weights(first)[name], tensor, rtol=1e-3, atol=1e-5)


def test_starts_from_given_weights_and_keeps_frozen_layers(fit: Fit) -> None:
    given, _ = fit("given")
    start = str(given / "model.safetensors")
    out, _ = fit("further", trainer={"init_from": start, "freeze": ["layers.1"], "keep": "last"})
    before, after = weights(given), weights(out)
    assert torch.equal(before["layers.1.weight"], after["layers.1.weight"])
    assert not torch.equal(before["layers.4.weight"], after["layers.4.weight"])


def test_given_weights_of_another_network_are_refused(fit: Fit, tmp_path: Path) -> None:
    state = {"layers.1.weight": torch.zeros(3, 64), "layers.1.bias": torch.zeros(16), "extra": torch.zeros(2)}
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(TrainingError) as caught:
        fit(trainer={"init_from": str(tmp_path / "other.safetensors")})
    message = str(caught.value)
    assert "missing: layers.4.weight [3, 16]" in message
    assert "unexpected: extra [2]" in message
    assert "shape: layers.1.weight is [3, 64] in the file, [16, 64] in the network" in message


def test_frozen_prefix_must_exist(fit: Fit) -> None:
    with pytest.raises(ConfigError, match=r"(?s)'head'.*valid prefixes: layers, layers.1, layers.1.weight"):
        fit(trainer={"freeze": ["head"]})


def test_everything_frozen_is_refused(fit: Fit) -> None:
    with pytest.raises(TrainingError, match="nothing to train"):
        fit(trainer={"freeze": ["layers"]})


def test_frozen_normalisation_does_not_move(fit: Fit) -> None:
    model = {**CNN, "batch_norm": True}
    given, _ = fit("given", model=model)
    start = {"init_from": str(given / "model.safetensors"), "freeze": ["features"], "keep": "last"}
    out, _ = fit("further", model=model, trainer=start)
    for name, tensor in weights(given).items():
        assert torch.equal(weights(out)[name], tensor) == name.startswith("features"), name


def test_averaging_follows_running_statistics(fit: Fit) -> None:
    out, _ = fit(model={**CNN, "batch_norm": True}, trainer={"ema_decay": 0.99, "keep": "last"})
    assert int(weights(out)["features.1.num_batches_tracked"]) == 8


def test_operation_that_does_not_repeat_is_explained(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(_: MLP, x: torch.Tensor) -> torch.Tensor:
        x.clone().put_(torch.tensor([0]), torch.tensor([1.0]), accumulate=False)
        return x

    monkeypatch.setattr(MLP, "forward", forward)
    with pytest.raises(TrainingError, match=r"trainer\.deterministic=false"):
        fit()
    assert not torch.are_deterministic_algorithms_enabled()


def test_missing_accelerator_is_a_config_error(fit: Fit) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match="cannot run with this config"):
        fit(trainer={"accelerator": "gpu", "devices": 1})


def test_without_validation_rows(tmp_path: Path, settings: Any, write_data: Any) -> None:
    from stagewise.training.train import train

    write_data(tmp_path / "data", {"train": 50, "test": 10})
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ConfigError, match="no validation rows"):
        train(settings(), tmp_path / "data", out, tmp_path / "work")
    kept = train(settings(trainer={"keep": "last"}), tmp_path / "data", out, tmp_path / "work")
    assert kept["epoch"] == 2
    assert [row["val_loss"] for row in history(out)] == ["", ""]


def test_hostile_environment_is_refused(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(TrainingError, match="unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"):
        fit()


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "step", "plateau", "constant"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop"])
def test_every_optimizer_with_every_schedule(fit: Fit, optimizer: str, schedule: str) -> None:
    out, kept = fit(
        optimizer={"_target_": f"torch.optim.{optimizer}", "lr": 0.01, "weight_decay": 0.01},
        scheduler={"_target_": f"stagewise.training.schedules.{schedule}"},
        trainer={"max_epochs": 1, "batch_size": 48},
    )
    assert np.isfinite(kept["train_loss"])
    torch.manual_seed(0)
    start = MLP((1, 8, 8), 3, hidden=[16]).state_dict()
    assert all(not torch.equal(tensor, start[name]) for name, tensor in weights(out).items())
