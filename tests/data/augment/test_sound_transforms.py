"""Recordings moved, amplified and made noisy; spectrograms with hidden stripes: pure functions of their keys."""

import pytest
import torch

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch
from stagewise.data.augment.decibels import amplitudes
from stagewise.data.augment.gain import Gain
from stagewise.data.augment.sound_noise import SoundNoise
from stagewise.data.augment.spec_augment import SpecAugment
from stagewise.data.augment.time_shift import TimeShift

SOUND = {
    "time shift": TimeShift(0.3, p=0.9),
    "gain": Gain(-20, 12, p=0.9),
    "noise": SoundNoise(0, 30, p=0.9),
}
SPECTROGRAM = {
    "stripes": SpecAugment(2, 5, 2, 9),
    "bands alone": SpecAugment(1, 8, 0, 0, p=0.9),
    "frames alone": SpecAugment(0, 0, 3, 4, p=0.9),
}
EVERY = SOUND | SPECTROGRAM


def make(name, rows=33):
    generator = torch.Generator().manual_seed(1)
    if name in SPECTROGRAM:
        x = torch.randn(rows, 1, 16, 30, generator=generator)
    else:
        # As they are stored: multiples of 1/32768, on either side of 0, with silent ends.
        x = torch.randint(-20000, 20000, (rows, 203), generator=generator).float() / 32768
        x[:, :20] = 0
    return Batch(x, torch.arange(rows) % 5, classes=5), random.keys(0, 0, torch.arange(rows) * 7)


@pytest.mark.parametrize("name", EVERY)
def test_a_row_comes_out_the_same_in_any_batch(name):
    batch, keys = make(name)
    whole = EVERY[name](batch, keys)
    for rows in ([4], [32, 0], list(range(5, 22)), list(range(32, -1, -1))):
        part = EVERY[name](Batch(batch.x[rows], batch.y[rows], 5), keys[rows])
        assert torch.equal(part.x, whole.x[rows])
        assert torch.equal(part.y, whole.y[rows])


@pytest.mark.parametrize("name", EVERY)
def test_the_input_stays_and_other_keys_give_other_rows(name):
    batch, keys = make(name)
    before = batch.x.clone()
    result = EVERY[name](batch, keys).x
    assert torch.equal(batch.x, before)
    assert result.shape == before.shape and result.dtype == torch.float32
    assert torch.equal(EVERY[name](batch, keys).x, result)
    assert not torch.equal(result, before)
    assert not torch.equal(EVERY[name](batch, random.derive(keys, 0)).x, result)
    if name in SOUND:
        assert result.abs().max() <= 1


@pytest.mark.parametrize("name", EVERY)
def test_what_each_takes_is_written_down(name):
    assert type(EVERY[name]).takes == ("sound" if name in SOUND else "spectrogram")


@pytest.mark.parametrize("transform", [TimeShift, Gain, SoundNoise, SpecAugment])
def test_p_is_the_share_of_rows_that_change(transform):
    rows = 2000
    x = torch.rand(rows, 1, 40, 20) + 0.1 if transform is SpecAugment else torch.rand(rows, 400) / 4 + 0.1
    batch, keys = Batch(x, torch.zeros(rows, dtype=torch.int64), 2), random.keys(0, 0, torch.arange(rows))
    changed = {p: (transform(p=p)(batch, keys).x != x).flatten(1).any(1).double().mean().item() for p in (0, 0.4, 1)}
    assert changed[0] == 0
    assert changed[1] > 0.9
    assert changed[0.4] == pytest.approx(0.4 * changed[1], abs=0.04)


def test_a_shift_moves_whole_samples_and_lets_silence_in():
    rows = 4000
    x = torch.arange(1, 101).float().div(200).expand(rows, 100)
    keys = random.keys(3, 1, torch.arange(rows))
    moved = TimeShift(0.1)(Batch(x, torch.zeros(rows), 0), keys).x
    later = (moved == 0).sum(1) * torch.where(moved[:, 0] == 0, 1, -1)
    for row in range(50):
        shift = int(later[row])
        kept = x[row, : 100 - shift] if shift > 0 else x[row, -shift:]
        assert torch.equal(moved[row, max(shift, 0) : 100 + min(shift, 0)], kept)
    counts = torch.bincount(later + 10, minlength=21)
    assert len(counts) == 21 and counts.min() > 0.6 * rows / 21


def test_gain_is_even_in_decibels_and_clips():
    rows = 4000
    x = torch.tensor([[0.1, -0.4]]).expand(rows, 2)
    keys = random.keys(0, 0, torch.arange(rows))
    result = Gain(-12, 12)(Batch(x, torch.zeros(rows), 0), keys).x
    decibels = 20 * (result[:, 0] / 0.1).log10()
    assert decibels.min() == pytest.approx(-12, abs=0.05) and decibels.max() == pytest.approx(12, abs=0.05)
    assert decibels.mean() == pytest.approx(0, abs=0.4) and decibels.std() == pytest.approx(24 / 12**0.5, rel=0.03)
    assert result[:, 1].min() == -1
    assert torch.equal(Gain(0, 0)(Batch(x, torch.zeros(rows), 0), keys).x, x)


@pytest.mark.parametrize("ratio", [0.0, 20.0, 40.0])
def test_noise_has_the_ratio_that_was_asked_for(ratio):
    x = 0.05 * torch.sin(torch.arange(8000) * torch.tensor([[0.03], [0.5], [1.7]]))
    x[1] *= 0.01
    keys = random.keys(0, 0, torch.arange(3))
    noise = SoundNoise(ratio, ratio, p=1.0)(Batch(x, torch.zeros(3), 0), keys).x - x
    found = 10 * (x.square().mean(1) / noise.square().mean(1)).log10()
    torch.testing.assert_close(found, torch.full((3,), ratio), rtol=0, atol=0.2)
    spectrum = torch.fft.rfft(noise[0]).abs().square()
    assert spectrum[:2000].mean() == pytest.approx(spectrum[2000:].mean().item(), rel=0.1)


def test_silence_stays_silent():
    keys = random.keys(0, 0, torch.arange(4))
    for transform in SOUND.values():
        assert not transform(Batch(torch.zeros(4, 50), torch.zeros(4), 0), keys).x.any()


def test_levels_come_from_a_table():
    keys = random.keys(0, 0, torch.arange(20000))
    factors = amplitudes(keys, 1, -20.0, 0.0)
    assert factors.shape == (20000, 1) and factors.dtype == torch.float32
    assert 0.1 < factors.min() < factors.max() < 1
    assert len(factors.unique()) < 4097
    assert torch.equal(amplitudes(keys[77:78], 1, -20.0, 0.0), factors[77:78])


def stripes(hidden):
    """Lengths of the runs of True in a list."""
    text = "".join("x" if value else " " for value in hidden)
    return [len(run) for run in text.split()]


def test_stripes_have_their_widths_and_cross_the_whole_spectrogram():
    rows = 3000
    x = torch.ones(rows, 1, 20, 50)
    keys = random.keys(0, 0, torch.arange(rows))
    result = SpecAugment(1, 4, 1, 10)(Batch(x, torch.zeros(rows), 0), keys).x[:, 0]
    bands, frames = (result == 0).all(2), (result == 0).all(1)
    assert torch.equal(result == 0, bands[:, :, None] | frames[:, None, :])
    assert all(len(stripes(row)) <= 1 for row in bands.tolist() + frames.tolist())
    for hidden, widest in ((bands, 4), (frames, 10)):
        counts = torch.bincount(hidden.sum(1), minlength=widest + 1)
        assert len(counts) == widest + 1 and counts.min() > 0.75 * rows / (widest + 1)
        places = hidden.double().mean(0)
        assert places.min() > 0  # every band and frame is hidden now and then
    several = SpecAugment(3, 4, 0, 0)(Batch(x, torch.zeros(rows), 0), keys).x[:, 0]
    assert max(len(stripes(row)) for row in (several == 0).all(2).tolist()) == 3


def test_stripes_may_be_as_wide_as_the_spectrogram():
    x, keys = torch.ones(500, 1, 4, 6), random.keys(0, 0, torch.arange(500))
    result = SpecAugment(1, 4, 1, 6)(Batch(x, torch.zeros(500), 0), keys).x
    assert (result == 0).flatten(1).all(1).any()
    with pytest.raises(ValueError, match="stripes of 5 bands and 6 frames do not fit a spectrogram of 4 bands and 6"):
        SpecAugment(1, 5, 1, 6)(Batch(x, torch.zeros(500), 0), keys)


def test_images_are_refused():
    keys = random.keys(0, 0, torch.arange(2))
    for transform in SOUND.values():
        with pytest.raises(
            ValueError, match=r"it changes recordings \[B, samples\], not values of shape \[2, 1, 8, 8\]"
        ):
            transform(Batch(torch.rand(2, 1, 8, 8), torch.zeros(2), 0), keys)


@pytest.mark.parametrize(
    ("transform", "arguments", "message"),
    [
        (TimeShift, {"fraction": 1.5}, "fraction must lie between 0 and 1, not 1.5"),
        (TimeShift, {"p": -0.1}, "p must lie between 0 and 1, not -0.1"),
        (Gain, {"low": 3, "high": 2}, "low <= high"),
        (Gain, {"high": 200}, "decibels"),
        (Gain, {"p": 2}, "p must lie"),
        (SoundNoise, {"low": 50}, "not 50 and 40"),
        (SoundNoise, {"p": 2}, "p must lie"),
        (SpecAugment, {"time_width": -1}, "none is negative"),
        (SpecAugment, {"p": 2}, "p must lie"),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else "-".join(value) if isinstance(value, dict) else value.__name__
    ),
)
def test_impossible_arguments_are_told(transform, arguments, message):
    with pytest.raises(ValueError, match=message):
        transform(**arguments)
