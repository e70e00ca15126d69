"""The store of checkpoints: whole or absent, named when damaged, never unpickled."""

import hashlib
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stagewise.errors import TrainingError
from stagewise.training import resume
from stagewise.training.checkpoints import OTHERS, CheckpointFiles, CheckpointFolder, identity, refuse_unpickling
from stagewise.training.keep import kept_epoch
from stagewise.training.resume import Saver
from stagewise.training.sampler import TrainBatches

STATE = {"weights": torch.arange(5.0), "rows": [{"epoch": 1, "loss": 0.1 + 0.2}]}


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    folder = CheckpointFolder(tmp_path / "checkpoints" / "run")
    folder.open()
    return folder


def write(folder: CheckpointFolder, *steps: int) -> None:
    for step in steps:
        CheckpointFiles().save_checkpoint(STATE, folder.file(step))


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def test_two_are_kept_and_nothing_else_is_left(folder: CheckpointFolder) -> None:
    write(folder, 9, 10, 100)
    assert names(folder) == [f"step-{step:09d}.ckpt{end}" for step in (10, 100) for end in ("", ".sha256")]
    newest = folder.newest(tidy=True)
    assert newest == folder.file(100)
    assert folder.step(newest) == 100
    read = CheckpointFiles().load_checkpoint(newest)
    assert torch.equal(read["weights"], STATE["weights"])
    assert read["rows"] == STATE["rows"]


def test_digest_is_as_sha256sum_writes_it(folder: CheckpointFolder) -> None:
    write(folder, 3)
    path = folder.file(3)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.with_name(f"{path.name}.sha256").read_text() == f"{digest}  {path.name}\n"


def sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (lambda path: os.truncate(path, 100), "its sha256 is not the recorded one"),
    "a bit flipped": (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "its sha256 is not the recorded"),
    "empty": (lambda path: path.write_bytes(b""), "its sha256 is not the recorded one"),
    "no digest": (lambda path: sidecar(path).unlink(), "step-000000002.ckpt.sha256 is missing"),
    "an empty digest": (lambda path: sidecar(path).write_bytes(b""), "step-000000002.ckpt.sha256 cannot be read"),
    "a digest of noise": (lambda path: sidecar(path).write_bytes(b"\xff\0"), "step-000000002.ckpt.sha256 cannot be"),
    "another's digest": (lambda path: sidecar(path).write_bytes(b"0" * 64), "its sha256 is not the recorded one"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "it cannot be read: Is a directory"),
}


@pytest.mark.parametrize("damage, why", DAMAGE.values(), ids=DAMAGE)
def test_damaged_one_is_named_set_aside_and_the_one_before_used(
    folder: CheckpointFolder, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], Any], why: str
) -> None:
    write(folder, 1, 2)
    damage(folder.file(2))
    # A further process decides the same and touches nothing.
    assert folder.newest(tidy=False) == folder.file(1)
    assert not caplog.records
    assert folder.newest(tidy=True) == folder.file(1)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith(f"checkpoint set aside: step-000000002.ckpt ({why}")
    assert record.message.endswith("), using the one before")
    assert "step-000000002.damaged" in names(folder)
    assert folder.newest(tidy=True) == folder.file(1)
    assert len(caplog.records) == 1


def test_no_whole_one_is_left(folder: CheckpointFolder, caplog: pytest.LogCaptureFixture) -> None:
    assert folder.newest(tidy=True) is None
    assert not caplog.records
    write(folder, 1, 2)
    for step in (1, 2):
        sidecar(folder.file(step)).unlink()
    assert folder.newest(tidy=True) is None
    assert caplog.messages[-1] == "no whole checkpoint is left: training starts from the beginning"


def test_failed_write_leaves_what_was_there(folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, 1)
    before = names(folder)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(folder, 2)
    assert names(folder) == before


def test_opening_removes_halves_and_runs_long_gone(tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    for age in range(OTHERS + 2):
        (root / f"run-{age}").mkdir(parents=True)
        os.utime(root / f"run-{age}", (1_000_000 - age, 1_000_000 - age))
    folder = CheckpointFolder(root / f"run-{OTHERS + 1}")
    for name in ("step-000000001.ckpt.tmp", "step-000000001.ckpt.sha256"):
        (folder.path / name).write_bytes(b"")
    folder.open()
    assert names(folder) == []
    # The oldest of all is this run's own, and stays.
    assert {path.name for path in root.iterdir()} == {f"run-{age}" for age in (*range(OTHERS), OTHERS + 1)}


def test_what_is_over_is_removed(folder: CheckpointFolder) -> None:
    write(folder, 1)
    other = folder.path.with_name("other")
    other.mkdir()
    folder.remove()
    assert [path.name for path in other.parent.iterdir()] == ["other"]
    CheckpointFolder(other).remove()
    assert not other.parent.exists()


def test_identity_differs_with_every_part() -> None:
    found = {
        identity("a", b"b", "1 cpu"),
        identity("a", b"b", "2 cpu"),
        identity("a", b"c", "1 cpu"),
        identity("ab", b""),
    }
    assert len(found) == 4
    assert all(len(name) == 16 for name in found)
    assert identity("a", b"b") == identity(b"a", "b")


class Evil:
    def __reduce__(self) -> Any:
        return (os.mkdir, ("harm",))


def test_nothing_unpickles(folder: CheckpointFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its digest is right and Lightning asks for it."""
    monkeypatch.chdir(tmp_path)
    path = folder.file(1)
    for content in (pickle.dumps(Evil(), protocol=2), None):
        if content is None:
            CheckpointFiles().save_checkpoint({"evil": Evil()}, path)
        else:
            path.write_bytes(content)
        with pytest.raises(
            TrainingError, match=r"(?s)the checkpoint cannot be read.*remove .*run, and training starts"
        ):
            CheckpointFiles().load_checkpoint(path, weights_only=False)
    assert not (tmp_path / "harm").exists()


def test_addresses_are_no_paths() -> None:
    with pytest.raises(FileNotFoundError):
        CheckpointFiles().load_checkpoint("http://127.0.0.1:9/model.ckpt")


@pytest.mark.parametrize("value", ["1", "y", "YES", "true"])
def test_variable_that_undoes_it_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", value)
    with pytest.raises(TrainingError) as caught:
        refuse_unpickling()
    assert str(caught.value) == (
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set\n"
        "  why:   torch would run code from checkpoints\n"
        "  next:  unset TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD, then run again"
    )


@pytest.mark.parametrize("value", ["", "0", "no", "false"])
def test_variable_that_undoes_nothing_is_not(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", value)
    refuse_unpickling()


@pytest.mark.parametrize(
    "seconds, write_takes, saved", [(0, 2, list(range(1, 41))), (10, 0.25, [10, 20, 30, 40]), (5, 1, [5, 25])]
)
def test_saves_when_due_and_seldom_where_writing_takes_long(
    seconds: float, write_takes: float, saved: list[int], folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of a second each; no more than a twentieth of the time goes into writing, unless all is asked for."""
    now = 0.0
    monkeypatch.setattr(resume, "time", SimpleNamespace(monotonic=lambda: now))
    done: list[int] = []

    def save(path: Path, **_: bool) -> None:
        nonlocal now
        now += write_takes
        done.append(folder.step(path))

    trainer: Any = SimpleNamespace(
        global_step=0,
        world_size=1,
        is_global_zero=True,
        save_checkpoint=save,
        num_training_batches=1000,
        accumulate_grad_batches=1,
        current_epoch=0,
        max_epochs=1,
    )
    module: Any = SimpleNamespace(parameters=lambda: [torch.ones(2)])
    saver = Saver(seconds)
    monkeypatch.setattr(saver.signals, "install", lambda _: None)
    assert saver.open(folder, True) is None
    saver.on_train_start(trainer, module)
    for batch in range(40):
        now += 1
        trainer.global_step += 1
        saver.on_train_batch_end(trainer, module, None, None, batch)
    assert done == saved


@pytest.mark.parametrize(
    "values, mode, epoch",
    [
        ([3.0, 1.0, 1.0, 2.0], "min", 1),
        ([3.0, 1.0, 3.0], "max", 0),
        ([float("nan"), 5.0, 6.0], "min", 1),
        ([2.0, float("nan"), 1.0], "max", 0),
        ([float("nan"), float("nan")], "min", 0),
    ],
)
def test_first_of_the_best_epochs_is_kept(values: list[float], mode: Any, epoch: int) -> None:
    assert kept_epoch(values, mode) == epoch


@pytest.mark.parametrize("lengths", [None, torch.arange(1, 51).numpy()])
def test_order_from_a_batch_on_is_the_rest_of_the_epochs(lengths: Any) -> None:
    whole, rest = (TrainBatches(50, 8, seed=3, rank=1, world_size=2, lengths=lengths) for _ in range(2))
    whole.set_epoch(2)
    rest.begin_at(2, 4)
    rest.set_epoch(2)  # as Lightning does
    assert [list(batch) for batch in rest] == [list(batch) for batch in whole][4:]
    assert len(rest) == len(whole)
    whole.set_epoch(3)
    rest.set_epoch(3)
    assert [list(batch) for batch in rest] == [list(batch) for batch in whole]


@pytest.mark.parametrize("steps", [[7, 7], [0, 0], [7, 0], [0, 7], [6, 7]])
def test_processes_that_found_different_checkpoints_refuse(steps: list[int]) -> None:
    """As on machines that do not share a disk; all of them notice."""
    total = torch.tensor([[step, step * step] for step in steps]).sum(0)
    for rank, step in enumerate(steps):
        strategy = SimpleNamespace(root_device=torch.device("cpu"), reduce=lambda *_, **__: total)
        trainer: Any = SimpleNamespace(world_size=2, global_rank=rank, strategy=strategy)
        if steps[0] == steps[1]:
            resume._check_agreement(trainer, step)
            continue
        with pytest.raises(TrainingError) as caught:
            resume._check_agreement(trainer, step)
        assert str(caught.value) == (
            "the processes of the run found different checkpoints\n"
            f"  where: process {rank} goes on from step {step}\n"
            "  why:   the machines do not share the folder .stagewise/checkpoints\n"
            "  next:  put the project on a shared disk, or remove .stagewise/checkpoints on all machines"
        )


def test_strategies_that_share_out_the_weights_say_that_they_cannot_go_on(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from stagewise.training.train import _saver

    assert _saver(settings(trainer={"strategy": "ddp"}).trainer) is not None
    assert not caplog.messages
    assert _saver(settings(trainer={"strategy": "fsdp"}).trainer) is None
    assert caplog.messages == ["no checkpoints with trainer.strategy=fsdp: a killed run starts from the beginning"]
