"""Every file of the groups that training owns, found by looking: it composes, and what it names can be built."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from stagewise.config.compose import compose
from stagewise.config.schema.base import Target
from stagewise.config.targets import build, find_targets, is_allowed
from stagewise.data.schema import read_schema
from stagewise.models.mlp import MLP
from stagewise.tasks.inputs.image import ImageInputs

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for group in ("task", "optimizer", "scheduler", "trainer") for path in (ROOT / "conf" / group).rglob("*.yaml")
)


@cache
def read(path: Path) -> Any:
    """The section as composed within an experiment that it fits, strictly validated."""
    group = path.parent.name
    experiment = "digits"
    if group == "task":
        names = sorted((ROOT / "conf/experiment").glob("*.yaml"))
        chosen = {name.stem: yaml.safe_load(name.read_text())["task"] for name in names}
        chosen = {name: task["use"] if isinstance(task, dict) else task for name, task in chosen.items()}
        experiment = next(name for name, task in chosen.items() if task == path.stem)
    return getattr(compose(ROOT, [f"experiment={experiment}", f"{group}={path.stem}"]), group)


def ids(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_file_validates_and_says_how_to_use_it(path: Path) -> None:
    read(path)
    head = path.read_text().splitlines()[:2]
    assert all(line.startswith("# ") for line in head)
    command = head[1].partition("Use it: ")[2]
    assert command.startswith("python stages/train.py ")
    assert f"{path.parent.name}={path.stem}" in command.split()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_targets_are_allowed(path: Path) -> None:
    assert all(is_allowed(name) for _, name in find_targets(yaml.safe_load(path.read_text())))


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "optimizer"], ids=ids)
def test_optimizer_steps(path: Path) -> None:
    network = MLP((1, 8, 8), 3, hidden=[])
    before = network.layers[1].weight.detach().clone()
    optimizer = build(read(path), params=network.parameters())
    network(torch.rand(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(network.layers[1].weight, before)


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "scheduler"], ids=ids)
def test_scheduler_builds(path: Path) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    assert build(read(path), optimizer=optimizer, total_steps=10, steps_per_epoch=5)["scheduler"].optimizer is optimizer


@pytest.mark.parametrize("path", [path for path in FILES if path.stem == "classification"], ids=ids)
def test_task_builds(path: Path, processed: Path) -> None:
    section = read(path)
    schema = read_schema(processed)
    inference = build(section.inference, network=MLP((1, 8, 8), 3), inputs=ImageInputs(schema), schema=schema)
    module = build(
        section.module,
        inference=inference,
        augmentation=None,
        optimizer=Target.model_validate({"_target_": "torch.optim.SGD", "lr": 0.1}),
        scheduler=Target.model_validate({"_target_": "stagewise.training.schedules.constant"}),
        seed=0,
        steps_per_epoch=1,
        max_epochs=1,
        schema=schema,
    )
    assert module.inference is inference


@pytest.mark.parametrize("name", ["default", "quick", "long"])
def test_trainer_that_runs_anywhere_trains(fit: Any, name: str) -> None:
    section = read(ROOT / "conf" / "trainer" / f"{name}.yaml").model_dump()
    _, kept = fit(trainer={**section, "max_epochs": 2})
    assert kept["epoch"] in (1, 2)
