"""Where shift, rotate and scale move pixels."""

import math

import pytest
import torch

from stagewise.data.augment import random
from stagewise.data.augment.affine import compose, identity, warp
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.rotate import Rotate
from stagewise.data.augment.scale import Scale
from stagewise.data.augment.shift import Shift

KEYS = random.keys(0, 0, torch.arange(5000))
IMAGES = torch.rand(4, 2, 7, 10, generator=torch.Generator().manual_seed(0))


def matrices(rows):
    return torch.tensor(rows, dtype=torch.float32).expand(4, 2, 3)


def test_identity_keeps_the_bits():
    assert torch.equal(warp(IMAGES, identity(KEYS[:4])), IMAGES)


@pytest.mark.parametrize("fill", [0.0, 0.7])
def test_whole_pixels_move_whole(fill):
    # The matrix says where a pixel comes from: from 2 to the right and 1 up.
    moved = warp(IMAGES, matrices([[1, 0, 2], [0, 1, -1]]), fill)
    torch.testing.assert_close(moved[:, :, 1:, :-2], IMAGES[:, :, :-1, 2:], rtol=0, atol=2e-6)
    torch.testing.assert_close(moved[:, :, 0], torch.full_like(moved[:, :, 0], fill))
    torch.testing.assert_close(moved[:, :, :, -2:], torch.full_like(moved[:, :, :, -2:], fill))


def test_half_a_pixel_is_the_mean_of_two():
    moved = warp(IMAGES, matrices([[1, 0, 0.5], [0, 1, 0]]))
    torch.testing.assert_close(moved[..., :-1], (IMAGES[..., :-1] + IMAGES[..., 1:]) / 2, rtol=0, atol=2e-6)


def test_a_quarter_turn_turns_about_the_centre():
    square = IMAGES[..., :7]
    turned = warp(square, matrices([[0, -1, 0], [1, 0, 0]]))
    torch.testing.assert_close(turned, square.rot90(1, (2, 3)), rtol=0, atol=2e-6)


def test_compose_is_one_after_the_other():
    shift, turn = matrices([[1, 0, 2], [0, 1, 0]]), matrices([[0, -1, 0], [1, 0, 0]])
    square = IMAGES[..., :7]
    one = warp(square, compose(shift, turn))
    torch.testing.assert_close(one, warp(warp(square, shift), turn), rtol=0, atol=4e-6)
    assert not torch.allclose(one, warp(square, compose(turn, shift)), atol=1e-3)


def test_shift_reaches_its_fraction_evenly():
    offset = Shift(0.25).matrix((8, 20), KEYS)[:, :, 2]
    assert offset.abs().amax(0).tolist() == pytest.approx([5.0, 2.0], rel=0.01)
    assert offset.mean(0).tolist() == pytest.approx([0, 0], abs=0.2)
    assert abs(torch.corrcoef(offset.T)[0, 1]) < 0.06


def test_rotation_keeps_lengths_and_reaches_its_angle():
    matrix = Rotate(30).matrix((8, 8), KEYS)
    linear = matrix[:, :, :2]
    torch.testing.assert_close(linear @ linear.mT, torch.eye(2).expand(5000, 2, 2), rtol=0, atol=1e-5)
    angle = torch.atan2(linear[:, 1, 0], linear[:, 0, 0]).rad2deg()
    assert [angle.min().item(), angle.max().item()] == pytest.approx([-30, 30], abs=0.1)
    assert angle.std().item() == pytest.approx(30 / math.sqrt(3), rel=0.03)


def test_scale_magnifies():
    matrix = Scale(0.5, 2.0).matrix((8, 8), KEYS)
    factor = 1 / matrix[:, 0, 0]
    assert [factor.min().item(), factor.max().item()] == pytest.approx([0.5, 2.0], abs=0.01)
    torch.testing.assert_close(matrix[:, 1, 1], matrix[:, 0, 0])
    white = Batch(torch.ones(1, 1, 8, 8), torch.zeros(1, dtype=torch.int64), 2)
    assert Scale(2, 2)(white, KEYS[:1]).x.sum() == 64
    assert Scale(0.5, 0.5)(white, KEYS[:1]).x.sum() == pytest.approx(16, abs=1e-3)
