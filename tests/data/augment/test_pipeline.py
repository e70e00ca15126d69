"""Augmentation: one pure function, whatever the batch."""

import pytest
import torch

from stagewise.config.schema.base import Target
from stagewise.data.augment import random
from stagewise.data.augment.affine import compose, warp
from stagewise.data.augment.pipeline import Augmentation
from stagewise.data.augment.rotate import Rotate
from stagewise.data.augment.shift import Shift
from stagewise.errors import ConfigError

X = torch.rand(24, 1, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.arange(24) % 4
INDEX = torch.arange(100, 124)


def target(name, **arguments):
    return Target.model_validate({"_target_": f"stagewise.data.augment.{name}", **arguments})


SHIFT, ROTATE, FLIP = target("shift.Shift"), target("rotate.Rotate"), target("flip.Flip", horizontal=0.5)
NOISE, MIXUP = target("noise.Noise", p=1.0), target("mixup.Mixup")
PURE = [SHIFT, ROTATE, FLIP, SHIFT, target("erase.Erase"), NOISE, target("contrast.Contrast")]


def augment(transforms, rows=slice(None), epoch=0, seed=0, x=X):
    return Augmentation(transforms, seed)(x[rows], Y[rows], INDEX[rows], epoch, 4)


@pytest.mark.parametrize("rows", [[3], [20, 1], list(range(23, -1, -1)), list(range(2, 19))])
def test_a_sample_comes_out_the_same_in_any_batch(rows):
    x, y = augment(PURE)
    part, labels = augment(PURE, rows)
    assert torch.equal(part, x[rows])
    assert torch.equal(labels, y[rows])


def test_equal_images_of_different_index_come_out_different():
    x, _ = augment([SHIFT], x=X[:1].repeat(24, 1, 1, 1))
    assert len(x.flatten(1).unique(dim=0)) == 24


def test_seed_and_epoch_change_the_result():
    results = [augment(PURE, epoch=epoch, seed=seed)[0] for epoch, seed in [(0, 0), (1, 0), (-1, 0), (0, 1)]]
    assert all(not torch.equal(a, b) for number, a in enumerate(results) for b in results[:number])
    assert torch.equal(results[0], augment(PURE)[0])


def test_global_random_state_is_neither_read_nor_changed():
    state = torch.get_rng_state()
    before = augment([*PURE, MIXUP])[0]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(augment([*PURE, MIXUP])[0], before)


def test_two_equal_transforms_draw_apart():
    first, second = (
        Shift(0.3).matrix((8, 8), random.derive(keys(), 0)),
        Shift(0.3).matrix((8, 8), random.derive(keys(), 1)),
    )
    assert not torch.equal(first, second)
    shift = target("shift.Shift", fraction=0.3)
    torch.testing.assert_close(augment([shift, shift])[0], warp(X, compose(first, second)), rtol=0, atol=1e-6)


def keys():
    return random.keys(0, 0, INDEX)


def test_neighbouring_moves_are_one_interpolation():
    merged, _ = augment([SHIFT, ROTATE])
    matrix = compose(
        Shift().matrix((8, 8), random.derive(keys(), 0)), Rotate().matrix((8, 8), random.derive(keys(), 1))
    )
    assert torch.equal(merged, warp(X, matrix))


def test_moves_with_other_fill_are_not_merged():
    black, white = target("shift.Shift", fraction=0.5), target("shift.Shift", fraction=0.5, fill=1.0)
    x, _ = augment([black, white], x=torch.full_like(X, 0.5))
    assert x.min() < 0.2
    assert x.max() > 0.8


def test_no_transform_changes_nothing():
    x, y = augment([])
    assert x is not None and torch.equal(x, X)
    assert torch.equal(y, Y)
    assert not Augmentation([], 0).soft_labels


def test_soft_labels_are_told_beforehand():
    assert not Augmentation(PURE, 0).soft_labels
    augmentation = Augmentation([*PURE, MIXUP], 0)
    assert augmentation.soft_labels
    _, y = augmentation(X, Y, INDEX, 0, 4)
    assert y.shape == (24, 4)


def test_gradients_are_not_recorded():
    x, _ = augment(PURE, x=X.clone().requires_grad_())
    assert not x.requires_grad


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (target("rotate.Rotate", degrees=400), r"(?s)augment\.transforms\[1\].*between 0 and 180, not 400"),
        (target("rotate.Rotate", degree=4), "degree"),
        (target("rotate.Rotator"), "does not exist"),
    ],
)
def test_wrong_transforms_are_config_errors(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Augmentation([SHIFT, wrong], 0)


def test_images_too_small_for_a_transform_are_a_config_error():
    with pytest.raises(
        ConfigError, match=r"(?s)Crop cannot be applied.*transforms\[1\].*too small to reflect 8 pixels"
    ):
        augment([SHIFT, target("crop.Crop", padding=8, mode="reflect")])


def test_gpu_draws_the_same():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    here = random.uniform(keys(), 0, (5,)), random.normal(keys(), 0, (5,))
    there = random.uniform(keys().cuda(), 0, (5,)), random.normal(keys().cuda(), 0, (5,))
    assert all(torch.equal(a, b.cpu()) for a, b in zip(here, there, strict=True))
    x, _ = Augmentation(PURE, 0)(X.cuda(), Y.cuda(), INDEX.cuda(), 0, 4)
    torch.testing.assert_close(x.cpu(), augment(PURE)[0], rtol=0, atol=1e-4)
