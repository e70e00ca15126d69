"""Runs that are killed and started again end with the bytes of one that was not, in its weights and its history."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from stagewise.config.schema.train import TrainSettings
from stagewise.training.checkpoints import CheckpointFolder

CNN = {"_target_": "stagewise.models.cnn.CNN", "channels": [4, 8], "hidden": 8, "dropout": 0.3, "batch_norm": True}
DROPOUT = {"_target_": "stagewise.models.mlp.MLP", "hidden": [16], "dropout": 0.2}
TRANSFORMS = [{"_target_": f"stagewise.data.augment.{name}"} for name in ("shift.Shift", "noise.Noise")]
SCHEDULES = "stagewise.training.schedules."
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {"trainer": {"max_epochs": 4}},
    "cnn with dropout, augmentation, averaged weights, one cycle": {
        "model": CNN,
        "augment": {"transforms": TRANSFORMS},
        "scheduler": {"_target_": f"{SCHEDULES}one_cycle"},
        "trainer": {"max_epochs": 4, "ema_decay": 0.9},
    },
    "plateau, early stopping, best epoch": {
        "model": DROPOUT,
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.5, "momentum": 0.9},
        "scheduler": {"_target_": f"{SCHEDULES}plateau", "patience": 0, "factor": 0.5},
        "trainer": {"max_epochs": 12, "early_stopping": {"patience": 3}, "monitor": "val_loss", "mode": "min"},
    },
    "accumulation": {
        "model": DROPOUT,
        "scheduler": {"_target_": f"{SCHEDULES}cosine"},
        # 7 batches: the last optimiser step of an epoch sees one batch only.
        "trainer": {"max_epochs": 3, "batch_size": 14, "accumulate": 2, "gradient_clip": 1.0, "keep": "last"},
    },
    "one batch an epoch": {
        "model": DROPOUT,
        "scheduler": {"_target_": f"{SCHEDULES}step", "every_epochs": 3},
        "trainer": {"max_epochs": 12, "batch_size": 96, "ema_decay": 0.8},
    },
}
DIVERGING = {"optimizer": {"_target_": "torch.optim.SGD", "lr": 1e12}, "trainer": {"max_epochs": 9}}
EVENTS = {"plain": 20, "accumulation": 24, "one batch an epoch": 24}
"""Batches and validations of a whole run; 20 where nothing is said."""
Start = Callable[..., "Runs"]
Reference = Callable[..., list[bytes]]
HIDDEN = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE", "RANK")
RESULTS = ("model.safetensors", "history.csv")


class Runs:
    """Runs of one config, which share a working folder."""

    def __init__(self, ask: Callable[[dict[str, Any]], dict[str, Any]], settings: TrainSettings, folder: Path) -> None:
        self._ask, self._settings, self.folder = ask, settings, folder
        self.work = folder / "work"
        self.processed = folder
        self.codes: list[int] = []
        self.resumed = 0

    def run(self, kill: dict[str, Any] | None = None, key: str | None = "key") -> int:
        """Start it, perhaps to be killed; the output folder is new each time."""
        number = len(self.codes)
        order = {
            "settings": self._settings.model_dump_json(by_alias=True),
            "processed": str(self.processed),
            "out": str(self.folder / f"out-{number}"),
            "work": str(self.work),
            "log": str(self.folder / f"log-{number}"),
            "key": key,
            "kill": kill,
        }
        answer = self._ask(order)
        assert answer["left"] == [], "loader processes outlive the run"
        self.codes.append(answer["code"])
        self.resumed += "train: goes on from" in self.log
        return self.codes[-1]

    @property
    def log(self) -> str:
        return (self.folder / f"log-{len(self.codes) - 1}").read_text()

    def results(self) -> list[bytes]:
        return [(self.folder / f"out-{len(self.codes) - 1}" / name).read_bytes() for name in RESULTS]

    def checkpoints(self) -> list[Path]:
        return sorted(self.work.glob("checkpoints/*/step-*.ckpt"))


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Give an order to a process that has imported everything, and wait for its answer."""
    environ = {key: value for key, value in os.environ.items() if key not in HIDDEN} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("kill_server.py"))]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        stdin, stdout = server.stdin, server.stdout
        assert stdout.readline()

        def order(order: dict[str, Any]) -> dict[str, Any]:
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()
            answer: dict[str, Any] = json.loads(stdout.readline())
            return answer

        yield order
        stdin.close()


@pytest.fixture
def start(ask: Any, settings: Any, processed: Path, tmp_path: Path) -> Callable[..., Runs]:
    def make(name: str, config: str = "plain", **trainer: Any) -> Runs:
        changes = dict(DIVERGING if config == "diverging" else CONFIGS[config])
        changes["trainer"] = {**changes["trainer"], "checkpoint_seconds": 0, **trainer}
        (tmp_path / name).mkdir()
        runs = Runs(ask, settings(**changes), tmp_path / name)
        runs.processed = processed
        return runs

    return make


@pytest.fixture(scope="module")
def known() -> dict[str, list[bytes]]:
    return {}


@pytest.fixture
def reference(start: Callable[..., Runs], known: dict[str, list[bytes]]) -> Callable[..., list[bytes]]:
    """Results of an uninterrupted run without checkpoints; loader processes change nothing."""

    def results(config: str, **trainer: Any) -> list[bytes]:
        name = f"{config} {trainer}"
        if name not in known:
            runs = start("reference", config, **trainer)
            assert runs.run(key=None) == 0, runs.log
            known[name] = runs.results()
        return known[name]

    return results


def kill_and_go_on(start: Start, reference: Reference, config: str, workers: int, kills: int, seed: str) -> None:
    expected = reference(config)
    draw = random.Random(f"{seed} {config} {workers}")
    runs = start("killed", config, workers=workers)
    events = EVENTS.get(config, 20) // kills
    for _ in range(kills):
        moment = {"at": "batch", "count": draw.randint(2, events), "delay": draw.random() * 0.02, "signal": 9}
        assert runs.run(moment) == -signal.SIGKILL, runs.log
    assert runs.run() == 0, runs.log
    assert runs.resumed >= kills - 1, "the run went on from a checkpoint"
    assert runs.results() == expected
    assert not (runs.work / "checkpoints").exists()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("config", CONFIGS)
def test_killed_at_random_moments_three_times(start: Start, reference: Reference, config: str, workers: int) -> None:
    kill_and_go_on(start, reference, config, workers, 3, "short")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("config", CONFIGS)
def test_killed_at_random_moments_two_hundred_times(
    start: Start, reference: Reference, config: str, workers: int, seed: int
) -> None:
    kill_and_go_on(start, reference, config, workers, 2, str(seed))


WRITING = [
    ("write before", 3),
    ("fsync before", 1),
    ("fsync before", 5),
    ("fsync after", 7),
    ("rename before", 1),
    ("rename after", 3),
    ("rename before", 4),
    ("rename after", 6),
]


@pytest.mark.parametrize("at, count", WRITING)
def test_killed_while_a_checkpoint_is_written(start: Start, reference: Reference, at: str, count: int) -> None:
    """Of the renames of a checkpoint the first is its digest's, the second its own; of the syncs, as many and the folder's."""
    expected = reference("plain")
    runs = start("killed")
    assert runs.run({"at": at, "count": count}) == -signal.SIGKILL
    whole = runs.checkpoints()
    assert runs.run({"at": at, "count": count}) == -signal.SIGKILL
    assert bool(runs.resumed) == bool(whole)
    assert runs.run() == 0, runs.log
    assert runs.results() == expected
    assert "set aside" not in runs.log  # a kill leaves nothing damaged


@pytest.mark.parametrize("at, count", [("validation before", 2), ("optimizer before", 6), ("optimizer after", 7)])
def test_killed_within_validation_or_a_step(start: Start, reference: Reference, at: str, count: int) -> None:
    config = "cnn with dropout, augmentation, averaged weights, one cycle"
    expected = reference(config, eval_batch_size=10)
    runs = start("killed", config, eval_batch_size=10)
    for _ in range(2):
        assert runs.run({"at": at, "count": count}) == -signal.SIGKILL
    assert runs.run() == 0, runs.log
    assert runs.resumed == 2
    assert runs.results() == expected


def test_killed_after_training_before_its_checkpoints_are_gone(start: Start, reference: Reference) -> None:
    expected = reference("plain")
    runs = start("killed")
    assert runs.run({"at": "weights before", "count": 1}) == -signal.SIGKILL
    assert runs.run() == 0
    assert runs.resumed == 1
    assert runs.results() == expected


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip, empty])
def test_damaged_checkpoint_is_named_and_the_one_before_is_used(
    start: Start, reference: Reference, damage: Any
) -> None:
    """As after a power failure that took the data and left the name."""
    expected = reference("plain")
    runs = start("killed")
    assert runs.run({"at": "optimizer before", "count": 8}) == -signal.SIGKILL
    before, newest = runs.checkpoints()
    damage(newest)
    assert runs.run() == 0, runs.log
    assert f"checkpoint set aside: {newest.name} (its sha256 is not the recorded one), using the one before" in runs.log
    assert "goes on from epoch 2 of 4, batch 2 of 4" in runs.log
    assert int(before.stem.removeprefix("step-")) == 6
    assert runs.results() == expected


def test_without_a_whole_checkpoint_training_starts_again(start: Start, reference: Reference) -> None:
    expected = reference("plain")
    runs = start("killed")
    runs.run({"at": "optimizer before", "count": 8})
    for path in runs.checkpoints():
        empty(path)
    assert runs.run() == 0, runs.log
    assert "no whole checkpoint is left: training starts from the beginning" in runs.log
    assert runs.resumed == 0
    assert runs.results() == expected


ASKED = [
    ("plain", 0, "step before", 7, signal.SIGTERM, 143, "epoch 2 of 4, batch 3 of 4"),
    ("plain", 2, "step before", 7, signal.SIGINT, 130, "epoch 2 of 4, batch 3 of 4"),
    # Between optimiser steps, in an epoch's last step, in validation: at the next place where nothing is half done.
    ("accumulation", 0, "step before", 10, signal.SIGTERM, 143, "epoch 2 of 3, batch 4 of 7"),
    ("plain", 0, "step before", 8, signal.SIGTERM, 143, "the start of epoch 3 of 4"),
    (
        "plateau, early stopping, best epoch",
        0,
        "validation before",
        2,
        signal.SIGINT,
        130,
        "the start of epoch 3 of 12",
    ),
]


@pytest.mark.parametrize("config, workers, at, count, number, code, place", ASKED)
def test_asked_to_stop(
    start: Start,
    reference: Reference,
    config: str,
    workers: int,
    at: str,
    count: int,
    number: signal.Signals,
    code: int,
    place: str,
) -> None:
    """The step is finished and saved, one line says so, and the run goes on from there."""
    # No checkpoint is due before: that of the stop is the only one.
    runs = start("stopped", config, workers=workers, checkpoint_seconds=1000)
    assert runs.run({"at": at, "count": count, "signal": number}) == code, runs.log
    assert runs.log == f"train: stopped by {number.name}; the same command goes on from {place}\n"
    assert len(runs.checkpoints()) == 1
    assert runs.run() == 0, runs.log
    assert runs.log == f"train: goes on from {place}\n"
    assert runs.results() == reference(config)


def test_asked_to_stop_in_the_last_step_it_ends_as_usual(start: Start, reference: Reference) -> None:
    runs = start("stopped", checkpoint_seconds=1000)
    assert runs.run({"at": "step before", "count": 16, "signal": signal.SIGTERM}) == 0
    assert runs.results() == reference("plain")


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_to_the_whole_group_with_loader_processes(
    start: Start, reference: Reference, number: signal.Signals, code: int
) -> None:
    """SIGTERM ends loader processes before the step is over, and the run then stops at its last checkpoint."""
    runs = start("stopped", workers=2)
    assert runs.run({"at": "step group", "count": 7, "signal": number}) == code, runs.log
    assert runs.log.startswith(f"train: stopped by {number.name}; the same command goes on from epoch 2 of 4, batch ")
    assert runs.log.count("\n") == 1
    assert runs.run() == 0, runs.log
    assert runs.resumed == 1
    assert runs.results() == reference("plain")


def test_asked_twice_it_stops_at_once(start: Start, reference: Reference) -> None:
    runs = start("stopped", eval_batch_size=10)
    assert runs.run({"at": "validation twice", "count": 2, "signal": signal.SIGTERM}) == 143, runs.log
    assert runs.log == "train: stopped by SIGTERM; the same command goes on from epoch 1 of 4, batch 3 of 4\n"
    assert runs.run() == 0
    assert runs.results() == reference("plain", eval_batch_size=10)


def test_goes_on_in_another_place(start: Start, reference: Reference, tmp_path: Path) -> None:
    expected = reference("plateau, early stopping, best epoch")
    runs = start("killed", "plateau, early stopping, best epoch")
    assert runs.run({"at": "optimizer before", "count": 15}) == -signal.SIGKILL
    runs.work = runs.work.rename(tmp_path / "moved")
    assert runs.run() == 0, runs.log
    assert runs.resumed == 1
    assert runs.results() == expected


def test_another_key_starts_anew_and_going_back_goes_on(start: Start) -> None:
    runs = start("killed")
    assert runs.run({"at": "optimizer before", "count": 8}) == -signal.SIGKILL
    assert runs.run(key="another") == 0
    assert runs.resumed == 0
    assert runs.run() == 0
    assert runs.resumed == 1


def test_other_data_start_anew(start: Start, tmp_path: Path) -> None:
    runs = start("killed")
    assert runs.run({"at": "optimizer before", "count": 8}) == -signal.SIGKILL
    other = tmp_path / "other"
    shutil.copytree(runs.processed, other)
    schema = other / "schema.json"
    schema.write_text(schema.read_text().replace("0" * 64, "1" * 64))
    runs.processed = other
    assert runs.run() == 0
    assert runs.resumed == 0


def test_live_logs_survive(start: Start) -> None:
    loggers = {"loggers": ["csv", "tensorboard"]}
    runs = start("killed", **loggers)
    assert runs.run({"at": "optimizer before", "count": 11}) == -signal.SIGKILL
    events = {path.name for path in (runs.work / "logs/tensorboard").iterdir()}
    assert runs.run({"at": "optimizer before", "count": 2}) == -signal.SIGKILL
    assert runs.run() == 0, runs.log
    assert events < {path.name for path in (runs.work / "logs/tensorboard").iterdir()}
    assert (runs.work / "logs/csv/from-step-11/metrics.csv").is_file()


def test_loss_that_is_not_finite_leaves_the_last_finite_checkpoint(start: Start) -> None:
    runs = start("failed", "diverging")
    assert runs.run() == 99
    assert "the same config the run goes on from its last checkpoint and fails here again" in runs.log
    first = runs.log.partition("where:")[2].splitlines()[0]
    for path in runs.checkpoints():
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(tensor.isfinite().all() for tensor in state.values())
    assert runs.run() == 99
    assert runs.log.partition("where:")[2].splitlines()[0] == first


# As a stage script does; Lightning's launcher runs this file again for the second process.
TWO_PROCESSES = """
import ctypes
import sys
from pathlib import Path

from stagewise.config.schema.train import TrainSettings
from stagewise.training.train import train

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, 9)  # the second process dies with the first
    settings, processed, out, work = map(Path, sys.argv[1:])
    out.mkdir(exist_ok=True)
    train(TrainSettings.model_validate_json(settings.read_bytes()), processed, out, work, "key")
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="prctl")
def test_two_processes_killed_and_asked_to_stop(settings: Any, processed: Path, tmp_path: Path) -> None:
    """Over gloo, with dropout, averaged weights and statistics of batches; signals reach the first process only."""
    trainer = {"devices": 2, "strategy": "ddp", "ema_decay": 0.9, "checkpoint_seconds": 0, "batch_size": 16}
    config = settings(model=CNN, trainer={**trainer, "max_epochs": 6})
    (tmp_path / "settings.json").write_text(config.model_dump_json(by_alias=True))
    (tmp_path / "script.py").write_text(TWO_PROCESSES)
    environ = {key: value for key, value in os.environ.items() if key not in HIDDEN}

    def run(name: str, work: str, step: int = 0, number: int = 0) -> tuple[int, str]:
        paths = [tmp_path / "settings.json", processed, tmp_path / name, tmp_path / work]
        command = [sys.executable, "-W", "error", str(tmp_path / "script.py"), *map(str, paths)]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while step and process.poll() is None:
            if any(CheckpointFolder.step(path) >= step for path in tmp_path.glob(f"{work}/checkpoints/*/step-*.ckpt")):
                process.send_signal(number)
                break
            time.sleep(0.002)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    assert run("whole", "undisturbed") == (0, "")
    assert run("out-0", "work", 7, signal.SIGKILL)[0] == -signal.SIGKILL
    code, output = run("out-1", "work", 17, signal.SIGTERM)
    assert code == 143, output
    assert [line.partition(" ")[0] for line in output.splitlines()] == ["train:", "train:"]
    assert run("out-2", "work", 27, signal.SIGKILL)[0] == -signal.SIGKILL
    code, output = run("out-3", "work")
    assert (code, output.count("goes on from")) == (0, 1), output
    for name in RESULTS:
        assert (tmp_path / "out-3" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
