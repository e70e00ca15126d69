"""Every file of conf/augment is a valid section that builds, and says how it is used."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from stagewise.config.checks.sources import class_constant
from stagewise.config.schema.data import AugmentSection
from stagewise.data.augment.pipeline import Augmentation

FOLDER = Path(__file__).parents[3] / "conf" / "augment"
FILES = sorted(FOLDER.rglob("*.yaml"))


def test_every_choice_is_there():
    assert {file.stem for file in FILES} >= {"none", "light", "strong", "mixup", "cutmix", "offline"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_config_builds_and_runs(file):
    section = AugmentSection.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    augmentation = Augmentation(section.transforms, seed=0)
    if any(class_constant(target.target, "takes", FOLDER.parents[1]) != "image" for target in section.transforms):
        return  # rows of another kind: tried where their transforms are
    for shape in [(1, 8, 8), (3, 32, 32)]:
        x, y = torch.rand(6, *shape), torch.arange(6) % 3
        result, labels = augmentation(x, y, torch.arange(6), 0, 3)
        assert result.shape == x.shape
        assert torch.equal(result, x) == (not section.transforms)
        assert labels.is_floating_point() == augmentation.soft_labels
    # Copies are written with class numbers, so what mixes labels can't be written.
    assert not (section.offline_copies and augmentation.soft_labels)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_config_says_how_to_use_it(file):
    text = file.read_text(encoding="utf-8")
    stage = "preprocess" if file.stem == "offline" else "train"
    assert re.search(rf"python stages/{stage}\.py (experiment=\w+ )?augment={file.stem}\n", text)
    assert re.search(rf"dvc exp run (-S experiment=\w+ )?-S augment={file.stem}\n", text)
