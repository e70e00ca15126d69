"""What all transforms have in common: purity, range, p, checks of their arguments."""

import pytest
import torch

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.brightness import Brightness
from stagewise.data.augment.contrast import Contrast
from stagewise.data.augment.crop import Crop
from stagewise.data.augment.cutmix import CutMix
from stagewise.data.augment.erase import Erase
from stagewise.data.augment.flip import Flip
from stagewise.data.augment.mixup import Mixup
from stagewise.data.augment.noise import Noise
from stagewise.data.augment.rotate import Rotate
from stagewise.data.augment.scale import Scale
from stagewise.data.augment.shift import Shift

PURE = {
    "shift": Shift(0.2),
    "shift filled": Shift(0.2, fill=0.5),
    "rotate": Rotate(30),
    "scale": Scale(0.5, 2.0),
    "crop": Crop(3),
    "crop filled": Crop(3, fill=0.5),
    "crop reflect": Crop(3, mode="reflect"),
    "crop replicate": Crop(3, mode="replicate"),
    "flip": Flip(0.5, 0.5),
    "erase": Erase(0.1, 0.6, p=0.8),
    "noise": Noise(0.3, p=0.8),
    "brightness": Brightness(0.9, p=0.8),
    "contrast": Contrast(0.9, p=0.8),
}
MIXING = {"mixup": Mixup(0.4), "cutmix": CutMix(p=1.0)}
EVERY = PURE | MIXING
SHAPES = [(1, 8, 8), (3, 9, 14)]


def make(shape, rows=33):
    x = torch.rand(rows, *shape, generator=torch.Generator().manual_seed(1))
    return Batch(x, torch.arange(rows) % 5, classes=5), random.keys(0, 0, torch.arange(rows) * 7)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PURE)
def test_a_sample_comes_out_the_same_in_any_batch(name, shape):
    batch, keys = make(shape)
    whole = PURE[name](batch, keys)
    for rows in ([4], [32, 0], list(range(5, 22)), list(range(32, -1, -1))):
        part = PURE[name](Batch(batch.x[rows], batch.y[rows], 5), keys[rows])
        assert torch.equal(part.x, whole.x[rows])
    assert torch.equal(whole.y, batch.y)


@pytest.mark.parametrize("name", PURE)
def test_memory_layout_does_not_matter(name):
    batch, keys = make((3, 9, 14))
    other = batch.with_x(batch.x.contiguous(memory_format=torch.channels_last))
    assert torch.equal(PURE[name](batch, keys).x, PURE[name](other, keys).x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", EVERY)
def test_images_stay_in_range_and_the_input_untouched(name, shape):
    batch, keys = make(shape)
    for x in (batch.x, (batch.x > 0.5).float()):
        before = x.clone()
        result = EVERY[name](batch.with_x(x), keys).x
        assert result.shape == x.shape
        assert result.dtype == torch.float32
        assert result.min() >= 0 and result.max() <= 1
        assert torch.equal(x, before)
        assert not torch.equal(result, x)


@pytest.mark.parametrize("name", EVERY)
def test_other_keys_give_other_images(name):
    batch, keys = make((1, 8, 8))
    assert torch.equal(EVERY[name](batch, keys).x, EVERY[name](batch, keys).x)
    assert not torch.equal(EVERY[name](batch, keys).x, EVERY[name](batch, random.derive(keys, 0)).x)


@pytest.mark.parametrize("transform", [Shift, Rotate, Scale, Crop, Erase, Noise, Brightness, Contrast, Mixup, CutMix])
def test_p_is_the_share_of_images_that_change(transform):
    x = torch.rand(4000, 1, 8, 8)
    batch, keys = Batch(x, torch.zeros(4000, dtype=torch.int64), 2), random.keys(0, 0, torch.arange(4000))
    changed = {p: (transform(p=p)(batch, keys).x != x).flatten(1).any(1).double().mean().item() for p in (0, 0.4, 1)}
    always = changed[1]
    assert changed[0] == 0
    assert always > 0.75
    assert changed[0.4] == pytest.approx(0.4 * always, abs=0.04)


@pytest.mark.parametrize(
    ("transform", "arguments", "message"),
    [
        (Shift, {"fraction": 1.5}, "fraction must lie between 0 and 1, not 1.5"),
        (Shift, {"p": -0.1}, "p must lie between 0 and 1, not -0.1"),
        (Rotate, {"degrees": 270}, "degrees is the largest angle, between 0 and 180, not 270"),
        (Rotate, {"fill": 2}, "fill must lie between 0 and 1"),
        (Scale, {"low": 0}, "0 < low <= high"),
        (Scale, {"low": 1.2, "high": 1.1}, "0 < low <= high"),
        (Crop, {"padding": -1}, "padding is a number of pixels, not -1"),
        (Crop, {"mode": "wrap"}, "constant, reflect or replicate, not 'wrap'"),
        (Crop, {"fill": -1}, "fill must lie"),
        (Flip, {"vertical": 2}, "vertical must lie"),
        (Erase, {"low": 0.5, "high": 0.4}, "0 <= low <= high <= 1"),
        (Erase, {"fill": 2}, "fill must lie"),
        (Noise, {"std": -1}, "std is a standard deviation, not -1"),
        (Brightness, {"amount": 2}, "amount must lie"),
        (Contrast, {"amount": 2}, "amount must lie"),
        (Mixup, {"alpha": 2}, "0 < alpha <= 1, not 2"),
        (Mixup, {"p": 2}, "p must lie"),
        (CutMix, {"alpha": 0}, "0 < alpha <= 1, not 0"),
    ],
)
def test_impossible_arguments_are_told(transform, arguments, message):
    with pytest.raises(ValueError, match=message):
        transform(**arguments)
