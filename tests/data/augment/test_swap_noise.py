"""Swap noise: values move within their column, a share of them, whatever the device or the batch's size."""

from pathlib import Path

import pytest
import torch
import yaml

from stagewise.config.schema.data import AugmentSection
from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.pipeline import Augmentation
from stagewise.data.augment.table_noise import SwapNoise

ROWS, COLUMNS = 2000, 5


def make():
    # Every value tells its row and column.
    x = torch.arange(ROWS)[:, None] + torch.arange(COLUMNS) * 10_000.0
    return Batch(x, torch.arange(ROWS) % 3, 3), random.keys(0, 0, torch.arange(ROWS))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7, 1.0])
def test_a_share_of_the_values_comes_from_the_same_column_of_other_rows(share):
    batch, keys = make()
    before = batch.x.clone()
    found = SwapNoise(share=share)(batch, keys)
    assert torch.equal(batch.x, before)
    assert torch.equal(found.y, batch.y)
    assert torch.equal(found.x.div(10_000, rounding_mode="floor"), before.div(10_000, rounding_mode="floor"))
    # A donor is now and then the row itself.
    moved = (found.x != before).double().mean().item()
    assert moved == pytest.approx(share * (1 - 1 / ROWS), abs=0.02 if 0 < share < 1 else 0.001)


def test_columns_of_a_row_come_from_different_rows():
    batch, keys = make()
    donors = SwapNoise(share=1.0)(batch, keys).x % 10_000
    assert (donors[:, 0] == donors[:, 1]).double().mean() < 0.01
    counts = torch.bincount(donors.flatten().long(), minlength=ROWS)
    assert counts.max() < 25


def test_p_is_the_share_of_rows():
    batch, keys = make()
    changed = (SwapNoise(share=1.0, p=0.3)(batch, keys).x != batch.x).any(1)
    assert changed.double().mean().item() == pytest.approx(0.3, abs=0.04)


def test_missing_values_swap_too():
    x = torch.tensor([[float("nan"), 1.0]] * 200 + [[5.0, 2.0]] * 200)
    found = SwapNoise(share=0.5)(Batch(x, torch.zeros(400), 0), random.keys(0, 0, torch.arange(400))).x
    assert 30 < found[:200, 0].isfinite().sum() < 80
    assert set(found[:, 0].nan_to_num(0.0).tolist()) == {0.0, 5.0}


def test_equal_keys_give_equal_rows_and_another_epoch_others():
    batch, keys = make()
    noise = SwapNoise()
    assert torch.equal(noise(batch, keys).x, noise(batch, keys).x)
    later = random.keys(0, 1, torch.arange(ROWS))
    assert not torch.equal(noise(batch, keys).x, noise(batch, later).x)


def test_one_row_stays_as_it_is():
    batch = Batch(torch.randn(1, 4), torch.zeros(1), 0)
    assert torch.equal(SwapNoise(share=1.0)(batch, random.keys(0, 0, torch.arange(1))).x, batch.x)


@pytest.mark.parametrize("arguments", [{"share": 1.5}, {"share": -0.1}, {"p": 2.0}])
def test_shares_lie_between_0_and_1(arguments):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        SwapNoise(**arguments)


def test_config_builds_and_changes_a_tenth_of_the_values():
    file = Path(__file__).parents[3] / "conf" / "augment" / "table_swap.yaml"
    section = AugmentSection.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    batch, _ = make()
    augmentation = Augmentation(section.transforms, seed=0)
    x, y = augmentation(batch.x, batch.y, torch.arange(ROWS), 0, 3)
    assert (x != batch.x).double().mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(y, batch.y)
    assert not augmentation.soft_labels
