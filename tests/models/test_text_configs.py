"""The networks and transforms for texts as conf/ sets them: they build and run, and transforms say every argument."""

from pathlib import Path

import pytest
import torch
import yaml

from stagewise.config.schema.base import Target
from stagewise.config.schema.data import AugmentSection
from stagewise.config.targets import build
from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch

CONF = Path(__file__).parents[2] / "conf"
NETWORKS = ["text_bag", "text_cnn", "text_rnn", "text_transformer"]
TRANSFORMS = ["text_light", "text_strong"]


def read(group, name):
    return yaml.safe_load((CONF / group / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NETWORKS)
def test_network_config_builds(name):
    target = Target.model_validate(read("model", name))
    for shape in [(1, 5), (40, 3000)]:
        network = build(target, input_shape=shape, outputs=4).eval()
        assert network(torch.randint(0, shape[1], (3, 6))).shape == (3, 4)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_augment_config_builds_and_changes_words(name):
    section = AugmentSection.model_validate(read("augment", name))
    tokens = torch.randint(4, 50, (6, 30))
    batch = Batch(tokens, torch.arange(6) % 2, classes=2)
    for number, target in enumerate(section.transforms):
        transform = build(target)
        assert transform.takes == "tokens"
        assert set(target.arguments) == set(type(transform).__dataclass_fields__)
        batch = transform(batch, random.keys(0, number, torch.arange(6)))
    assert not torch.equal(batch.x, tokens)
