"""What crop, flip, erase, noise, brightness and contrast do to pixels."""

import pytest
import torch

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.brightness import Brightness
from stagewise.data.augment.contrast import Contrast, image_means
from stagewise.data.augment.crop import Crop
from stagewise.data.augment.erase import Erase
from stagewise.data.augment.flip import Flip
from stagewise.data.augment.noise import Noise

ROWS = 2000
KEYS = random.keys(0, 0, torch.arange(ROWS))


def apply(transform, x):
    return transform(Batch(x, torch.zeros(len(x), dtype=torch.int64), 2), KEYS[: len(x)]).x


def test_crop_keeps_a_window_of_the_padded_image():
    x = torch.rand(300, 2, 6, 5)
    cropped = apply(Crop(2), x)
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))
    places = set()
    for row in range(300):
        windows = {
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(padded[row, :, top : top + 6, left : left + 5], cropped[row])
        }
        assert len(windows) == 1
        places |= windows
    assert len(places) == 25


def test_reflect_needs_a_large_enough_image():
    with pytest.raises(ValueError, match="a 3x8 image is too small to reflect 3 pixels"):
        apply(Crop(3, mode="reflect"), torch.rand(2, 1, 3, 8))


@pytest.mark.parametrize(
    ("arguments", "axes"), [({"horizontal": 1.0}, [3]), ({"horizontal": 0.0, "vertical": 1.0}, [2])]
)
def test_flip_mirrors(arguments, axes):
    x = torch.rand(5, 3, 6, 4)
    assert torch.equal(apply(Flip(**arguments), x), x.flip(axes))


def test_flip_has_its_probability():
    x = torch.rand(1, 1, 6, 4).repeat(ROWS, 1, 1, 1)
    flipped = (apply(Flip(0.3), x) == x.flip(3)).flatten(1).all(1)
    assert flipped.double().mean().item() == pytest.approx(0.3, abs=0.05)


def test_erase_paints_one_rectangle_inside_the_image():
    x = torch.ones(ROWS, 1, 20, 30)
    erased = apply(Erase(0.1, 0.5, p=1.0), x)[:, 0] == 0
    rows, columns = erased.any(2), erased.any(1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])
    for inside, length in ((rows, 20), (columns, 30)):
        size = inside.sum(1)
        assert [size.min().item(), size.max().item()] == [0.1 * length, 0.5 * length]
        # One run: it begins once and has no gap.
        assert (inside.int().diff(dim=1) == 1).sum(1).max() <= 1
        assert inside.any(0).all()


def test_noise_has_its_own_strength_in_each_image():
    x = torch.full((ROWS, 1, 8, 8), 0.5)
    noise = apply(Noise(0.1, p=1.0), x) - x
    assert abs(noise.mean().item()) < 0.001
    strength = noise.flatten(1).std(1)
    assert strength.min() < 0.01
    assert 0.085 < strength.max() < 0.14
    assert strength.mean().item() == pytest.approx(0.05, rel=0.05)


def test_brightness_is_a_factor():
    x = torch.rand(ROWS, 1, 4, 4) * 0.5
    x[:, :, 0] = 0
    factor = apply(Brightness(0.4, p=1.0), x) / x
    assert factor[:, :, 0].isnan().all()
    spread = factor[:, :, 1:].flatten(1)
    torch.testing.assert_close(spread.amin(1), spread.amax(1))
    assert [spread.min().item(), spread.max().item()] == pytest.approx([0.6, 1.4], abs=0.01)


def test_contrast_keeps_the_mean():
    x = torch.rand(ROWS, 3, 6, 6) * 0.3 + 0.3
    changed = apply(Contrast(0.5, p=1.0), x)
    torch.testing.assert_close(image_means(changed), image_means(x), rtol=0, atol=1e-4)
    ratio = changed.flatten(1).std(1) / x.flatten(1).std(1)
    assert [ratio.min().item(), ratio.max().item()] == pytest.approx([0.5, 1.5], abs=0.01)


def test_image_means_are_means():
    x = torch.rand(50, 3, 17, 11)
    torch.testing.assert_close(image_means(x), x.mean((1, 2, 3), keepdim=True), rtol=0, atol=2e-5)
