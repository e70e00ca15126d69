"""Every file of conf/model is a valid target that builds, and says how it is used."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
import torch
import yaml

from stagewise.config.checks.sources import class_constant
from stagewise.config.schema.base import Target
from stagewise.config.targets import build

FOLDER = Path(__file__).parents[2] / "conf" / "model"
FILES = sorted(FOLDER.rglob("*.yaml"))


ROWS = {
    "image": [((1, 8, 8), torch.rand(2, 1, 8, 8)), ((3, 32, 32), torch.rand(2, 3, 32, 32))],
    "tokens": [((12, 50), torch.randint(1, 50, (2, 12)))],
    "table": [((3, 4, 5), torch.tensor([[0.1, 0.2, 0.3, 0, 4], [1.0, 2.0, 3.0, 3, 1]]))],
    "series": [((96, 2), torch.rand(2, 96, 2))],
}
"""The ``input_shape`` and two rows of what networks take."""


def takes(target: Target) -> str:
    return class_constant(target.target, "takes", FOLDER.parents[1])


def test_every_network_has_a_config():
    assert {file.stem for file in FILES} >= {"mlp", "cnn", "resnet", "vit", "rnn"}


@pytest.mark.parametrize("file", [file for file in FILES if file.stem != "huggingface"], ids=lambda file: file.stem)
def test_config_builds(file):
    target = Target.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    for shape, rows in ROWS[takes(target)]:
        network = build(target, input_shape=shape, outputs=4).eval()
        assert network(rows).shape[:2] == (2, 4)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_config_says_every_argument_and_how_to_use_it(file):
    text = file.read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert len(head) >= 3
    assert re.search(rf"python stages/train.py (experiment=\w+ )?model={file.stem}\b", text)
    assert re.search(rf"dvc exp run (-S experiment=\w+ )?-S model={file.stem}\b", text)
    arguments = Target.model_validate(yaml.safe_load(text)).arguments
    module, _, name = Target.model_validate(yaml.safe_load(text)).target.rpartition(".")
    network = getattr(importlib.import_module(module), name)
    parameters = inspect.signature(network).parameters.values()
    assert set(arguments) == {item.name for item in parameters if item.kind is inspect.Parameter.KEYWORD_ONLY}
