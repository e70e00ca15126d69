"""The log-mel spectrogram against computations of its own definition by other means."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import stft

from stagewise.data.features.log_mel import BandSums, LogMel

SPEECH = LogMel(rate=8000, length=8000, window=200, hop=80, mels=40, fmin=20, fmax=4000, floor_db=-80)
CHOICES = {
    "speech": SPEECH,
    "wide": LogMel(rate=16000, length=16000, window=400, hop=160, mels=80, fmin=0, fmax=8000, floor_db=-100),
    "odd": LogMel(rate=11025, length=9999, window=301, hop=97, mels=23, fmin=133.3, fmax=5000, floor_db=-60),
    "hop of a window": LogMel(rate=8000, length=4000, window=256, hop=256, mels=20, fmin=100, fmax=3900, floor_db=-80),
    "half a window": LogMel(rate=8000, length=4001, window=256, hop=128, mels=20, fmin=100, fmax=3900, floor_db=-80),
}


def hertz(mels: float) -> float:
    """The Auditory Toolbox: 66.67 Hz per mel below 1 kHz, then 27 mels per factor of 6.4."""
    return mels * 200 / 3 if mels < 15 else 1000 * 6.4 ** ((mels - 15) / 27)


def mel(frequency: float) -> float:
    return frequency * 3 / 200 if frequency < 1000 else 15 + 27 * math.log(frequency / 1000) / math.log(6.4)


def triangles(spec: LogMel, fft: int) -> np.ndarray:
    """Weights by the definition, one at a time: (bins, mels)."""
    low, high = mel(spec.fmin), mel(spec.fmax)
    points = [hertz(low + (high - low) * k / (spec.mels + 1)) for k in range(spec.mels + 2)]
    weights = np.zeros((fft // 2 + 1, spec.mels))
    for band in range(spec.mels):
        left, peak, right = points[band : band + 3]
        for place in range(fft // 2 + 1):
            frequency = place * spec.rate / fft
            if left < frequency <= peak:
                weights[place, band] = (frequency - left) / (peak - left)
            elif peak < frequency < right:
                weights[place, band] = (right - frequency) / (right - peak)
        weights[:, band] *= 2 / (right - left) * spec.rate / fft
    return weights


def by_scipy(spec: LogMel, row: np.ndarray) -> np.ndarray:
    """(mels, frames), from scipy's short-time Fourier transform."""
    fft = 2 ** math.ceil(math.log2(spec.window))
    first = ((spec.blocks - 1) * spec.hop) // 2 - (spec.blocks * spec.hop - spec.window) // 2  # before sample 0
    frames = math.ceil(spec.length / spec.hop)
    padded = np.zeros((frames - 1) * spec.hop + spec.window)
    tail = row[: len(padded) - first] if first >= 0 else row[-first:][: len(padded)]
    padded[max(first, 0) :][: len(tail)] = tail
    _, _, values = stft(
        padded / 32768, nperseg=spec.window, noverlap=spec.window - spec.hop, nfft=fft, boundary=None, padded=False,
        detrend=False, scaling="spectrum",
    )  # fmt: skip
    bands = np.einsum("ft,fm->mt", np.abs(values) ** 2, triangles(spec, fft))
    return np.log(1 + bands * 10 ** (-spec.floor_db / 10))


@pytest.mark.parametrize("name", CHOICES)
def test_bands_are_those_of_the_definition(name: str) -> None:
    spec = CHOICES[name]
    expected = triangles(spec, spec.fft)
    np.testing.assert_allclose(spec.bands(), expected, rtol=1e-9, atol=1e-12)
    assert spec.bands().shape == (spec.fft // 2 + 1, spec.mels)


def test_a_dense_spectrum_makes_every_band_a_mean() -> None:
    bands = replace(SPEECH, window=8192).bands()
    np.testing.assert_allclose(bands.sum(axis=0), 1, rtol=0.02)


@pytest.mark.parametrize("name", CHOICES)
def test_spectrograms_agree_with_scipy(name: str) -> None:
    spec = CHOICES[name]
    generator = np.random.default_rng(5)
    rows = (
        (generator.normal(size=(3, spec.length)) * np.array([[9000], [300], [2]])).clip(-32768, 32767).astype(np.int16)
    )
    ours = spec(rows)
    assert ours.shape == (3, spec.mels, spec.frames)
    for row, spectrogram in zip(rows, ours, strict=True):
        np.testing.assert_allclose(spectrogram, by_scipy(spec, row), rtol=1e-9, atol=1e-9)


def test_a_frame_lies_around_the_middle_of_its_hop() -> None:
    for spec in CHOICES.values():
        for frame in (0, 3, spec.frames - 2):
            row = np.zeros((1, spec.length), np.int16)
            row[0, frame * spec.hop + spec.hop // 2] = 20000
            assert spec(row)[0].sum(axis=0).argmax() == frame


def test_a_tone_of_full_scale_has_a_quarter_of_power_in_its_band() -> None:
    spec = replace(SPEECH, window=256, hop=64)
    place = 64  # 2 kHz, exactly on a bin
    row = np.rint(32767 * np.sin(2 * np.pi * place / 256 * np.arange(8000)))[None].astype(np.int16)
    frame = spec(row)[0, :, 60]
    # A Hann window leaves half of the amplitude in each neighbour of the bin.
    expected = spec.bands()[place - 1 : place + 2].T @ np.array([1 / 16, 1 / 4, 1 / 16])
    loud = expected > 0
    np.testing.assert_allclose(frame[loud], np.log(1 + expected[loud] * 1e8), atol=1e-3)
    assert frame[~loud].max() < 0.1


def test_silence_is_zero_and_scale_is_a_shift() -> None:
    generator = np.random.default_rng(0)
    row = generator.integers(-8000, 8000, (1, 8000)).astype(np.int16)
    assert not SPEECH(np.zeros((2, 8000), np.int16)).any()
    assert np.median(SPEECH(row * np.int16(4)) - SPEECH(row)) == pytest.approx(math.log(16), abs=1e-2)


def test_rows_do_not_depend_on_their_neighbours() -> None:
    rows = np.random.default_rng(1).integers(-3000, 3000, (70, 8000)).astype(np.int16)
    together = SPEECH(rows)
    np.testing.assert_allclose(SPEECH(rows[33:35]), together[33:35], rtol=0, atol=1e-12)
    assert SPEECH(rows[:0]).shape == (0, 40, 100)


def test_a_band_between_two_bins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"of 200 mel bands \(\d+ to \d+ Hz\) lie between two bins"):
        replace(SPEECH, mels=200).matrices()


def test_statistics_are_those_of_all_frames() -> None:
    values = np.random.default_rng(2).normal(3, 2, (50, 4, 30))
    values[:, 2] = 7.0
    whole, parts = BandSums(4), BandSums(4)
    whole.add(values)
    for begin in range(0, 50, 7):
        parts.add(values[begin : begin + 7])
    assert whole.statistics() == parts.statistics()
    mean, std = whole.statistics()
    np.testing.assert_allclose(mean, values.mean(axis=(0, 2)), atol=1e-6)
    np.testing.assert_allclose(np.array(std)[[0, 1, 3]], values.std(axis=(0, 2))[[0, 1, 3]], atol=1e-6)
    assert std[2] == 1.0
    with pytest.raises(ValueError, match="no values"):
        BandSums(4).statistics()
