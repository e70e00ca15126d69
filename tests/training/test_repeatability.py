"""Runs in processes of their own: equal bits, and two processes that equal one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from stagewise.config.schema.train import TrainSettings

# As a stage script does; Lightning's launcher runs this file again for the further processes.
SCRIPT = """
import sys
from pathlib import Path

from stagewise.config.schema.train import TrainSettings
from stagewise.training.train import train

if __name__ == "__main__":
    settings, processed, folder = map(Path, sys.argv[1:])
    out = folder / "out"
    out.mkdir(parents=True, exist_ok=True)
    train(TrainSettings.model_validate_json(settings.read_bytes()), processed, out, folder / "work")
"""
CNN = {"_target_": "stagewise.models.cnn.CNN", "channels": [4, 8], "hidden": 8}


@pytest.fixture
def start(processed: Path, tmp_path: Path) -> Callable[[str, TrainSettings], subprocess.Popen[str]]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(name: str, settings: TrainSettings) -> subprocess.Popen[str]:
        file = tmp_path / f"{name}.json"
        file.write_text(settings.model_dump_json(by_alias=True))
        command = [sys.executable, "-W", "error", str(script), str(file), str(processed), str(tmp_path / name)]
        hidden = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE", "RANK")
        environ = {key: value for key, value in os.environ.items() if key not in hidden}
        return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return run


@pytest.mark.long
def test_fresh_processes_agree_bit_for_bit(start: Any, settings: Any, tmp_path: Path) -> None:
    """With dropout, augmentation and averaged weights; the second run reads its batches in two loader processes."""
    transforms = [{"_target_": f"stagewise.data.augment.{name}"} for name in ("shift.Shift", "noise.Noise")]
    common = {"model": {**CNN, "dropout": 0.3}, "augment": {"transforms": transforms}}
    runs = [
        start(f"workers{workers}", settings(**common, trainer={"workers": workers, "ema_decay": 0.9}))
        for workers in (0, 2)
    ]
    for run in runs:
        output, _ = run.communicate(timeout=300)
        assert run.returncode == 0, output
        assert output == ""  # no tips, no news about the machine
    for file in ("model.safetensors", "history.csv"):
        first, second = (tmp_path / f"workers{workers}" / "out" / file for workers in (0, 2))
        assert first.read_bytes() == second.read_bytes(), file


def test_two_processes_equal_one(start: Any, settings: Any, fit: Any, tmp_path: Path) -> None:
    """The same global batches over gloo, and the same figures in history.csv."""
    run = start("two", settings(model=CNN, trainer={"devices": 2, "strategy": "ddp", "ema_decay": 0.9}))
    one, _ = fit("one", model=CNN, trainer={"devices": 1, "ema_decay": 0.9})
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    two = tmp_path / "two" / "out"
    expected = load_file(one / "model.safetensors")
    for name, tensor in load_file(two / "model.safetensors").items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-4, atol=1e-6)
    numbers = [_numbers(folder / "history.csv") for folder in (one, two)]
    assert numbers[1] == pytest.approx(numbers[0], rel=1e-4)


def _numbers(path: Path) -> list[float]:
    return [float(value) for line in path.read_text().splitlines()[1:] for value in line.split(",")]
