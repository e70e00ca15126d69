"""Mixup and cutmix: partners, shares, and labels that fit the images."""

import pytest
import torch

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.cutmix import CutMix
from stagewise.data.augment.mixing import beta, partners
from stagewise.data.augment.mixup import Mixup

ROWS = 200
KEYS = random.keys(0, 0, torch.arange(20_000))


def constant_images(rows=ROWS):
    """Each image has one value, its class over the number of classes: the mixed mean tells the mixed label."""
    y = torch.arange(rows) % 5
    return Batch((y / 5).view(-1, 1, 1, 1).repeat(1, 2, 10, 12), y, classes=5)


@pytest.mark.parametrize("rows", [2, 3, 128])
def test_partners_are_a_cycle_without_fixed_points(rows):
    partner = partners(KEYS[:rows], 0)
    row, seen = 0, []
    for _ in range(rows):
        row = int(partner[row])
        seen.append(row)
    assert sorted(seen) == list(range(rows))


def test_a_single_row_is_its_own_partner():
    assert partners(KEYS[:1], 0).tolist() == [0]
    batch = constant_images(1)
    assert torch.equal(CutMix(p=1.0)(batch, KEYS[:1]).x, batch.x)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.5, 1.0])
def test_beta_has_the_moments_of_beta(alpha):
    share = beta(KEYS, 0, alpha)
    assert share.isfinite().all()
    assert share.min() >= 0 and share.max() <= 1
    assert share.mean().item() == pytest.approx(0.5, abs=0.02)
    assert share.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)
    # Median of the distance from the nearer end: half of it lies below the quarter where the draw is uniform.
    assert alpha < 1 or (torch.minimum(share, 1 - share) < 0.25).double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_beta_does_not_depend_on_the_batch():
    whole = beta(KEYS[:50], 0, 0.4)
    torch.testing.assert_close(beta(KEYS[7:8], 0, 0.4), whole[7:8], rtol=1e-6, atol=0)


@pytest.mark.parametrize("transform", [Mixup(0.5), CutMix(), Mixup(1.0, p=0.5)])
def test_labels_tell_the_share_of_each_image(transform):
    batch = constant_images()
    mixed = transform(batch, KEYS[:ROWS])
    assert mixed.y.shape == (ROWS, 5)
    assert mixed.y.dtype == torch.float32
    torch.testing.assert_close(mixed.y.sum(1), torch.ones(ROWS))
    assert ((mixed.y > 0).sum(1) <= 2).all()
    told = mixed.y @ (torch.arange(5) / 5)
    torch.testing.assert_close(mixed.x.mean((1, 2, 3)), told, rtol=0, atol=1e-5)


def test_unmixed_rows_keep_bits_and_label():
    batch = constant_images()
    mixed = Mixup(0.5, p=0.0)(batch, KEYS[:ROWS])
    assert torch.equal(mixed.x, batch.x)
    assert torch.equal(mixed.y.argmax(1), batch.y)
    assert (mixed.y.amax(1) == 1).all()


def test_soft_labels_mix_again():
    once = Mixup(1.0)(constant_images(), KEYS[:ROWS])
    twice = CutMix(p=1.0)(once, random.derive(KEYS[:ROWS], 0))
    torch.testing.assert_close(twice.x.mean((1, 2, 3)), twice.y @ (torch.arange(5) / 5), rtol=0, atol=1e-5)
    assert ((twice.y > 0).sum(1) > 2).any()


def test_cutmix_pastes_one_rectangle():
    y = torch.arange(100)
    batch = Batch(y.view(-1, 1, 1, 1).repeat(1, 1, 10, 12) / 100, y, classes=100)
    mixed = CutMix(p=1.0)(batch, KEYS[:100])
    pasted = (mixed.x != batch.x)[:, 0]
    assert torch.equal(pasted, pasted.any(2)[:, :, None] & pasted.any(1)[:, None, :])
    torch.testing.assert_close(pasted.double().mean((1, 2)).float(), 1 - mixed.y.gather(1, y[:, None])[:, 0])
