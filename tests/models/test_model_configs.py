"""Every file of conf/model is a valid target that builds, and says how it is used."""

from pathlib import Path

import pytest
import torch
import yaml

from stagewise.config.schema.base import Target
from stagewise.config.targets import build

FOLDER = Path(__file__).parents[2] / "conf" / "model"
FILES = sorted(FOLDER.rglob("*.yaml"))


def test_every_network_has_a_config():
    assert {file.stem for file in FILES} >= {"mlp", "cnn", "resnet", "vit", "rnn"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_config_builds(file):
    target = Target.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    for shape in [(1, 8, 8), (3, 32, 32)]:
        network = build(target, input_shape=shape, outputs=4).eval()
        assert network(torch.rand(2, *shape)).shape == (2, 4)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_config_says_every_argument_and_how_to_use_it(file):
    text = file.read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert len(head) >= 3
    assert f"python stages/train.py model={file.stem}" in text
    assert f"dvc exp run -S model={file.stem}" in text
    arguments = Target.model_validate(yaml.safe_load(text)).arguments
    network = type(build(Target.model_validate(yaml.safe_load(text)), input_shape=(1, 8, 8), outputs=2))
    assert set(arguments) == set(network.__init__.__kwdefaults__)
