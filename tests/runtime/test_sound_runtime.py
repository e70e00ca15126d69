"""From sound files to rows: every width and rate, resampling, trimming, levels, and what cannot be used."""

import io
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scipy.signal import firwin, resample_poly

from stagewise.data.recording import Recording
from stagewise.runtime import sound as runtime
from stagewise.runtime.sound import Form, Reader, SoundError, convert, decode, save_example

FORM = Form(rate=8000, length=8000, trim_db=None, align="centre", normalize=None, level_db=-1.0)
FEATURE: dict[str, Any] = {
    "rate": 8000, "shape": [8000], "trim_db": None, "align": "centre", "normalize": None, "level_db": -1.0,
}  # fmt: skip


def tone(hertz: float = 440.0, rate: int = 8000, seconds: float = 0.5, peak: float = 0.5) -> np.ndarray:
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def file_bytes(samples: np.ndarray, rate: int = 8000, subtype: str = "PCM_16", file_format: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, subtype=subtype, format=file_format)
    return buffer.getvalue()


WIDTHS = [
    ("WAV", "PCM_U8", 2**-7), ("WAV", "PCM_16", 2**-15), ("WAV", "PCM_24", 2**-23), ("WAV", "PCM_32", 2**-23),
    ("WAV", "FLOAT", 2**-24), ("WAV", "DOUBLE", 2**-24), ("WAVEX", "PCM_24", 2**-23), ("RF64", "PCM_16", 2**-15),
    ("FLAC", "PCM_S8", 2**-7), ("FLAC", "PCM_16", 2**-15), ("FLAC", "PCM_24", 2**-23),
]  # fmt: skip


@pytest.mark.parametrize(("file_format", "subtype", "step"), WIDTHS, ids=[f"{f} {s}" for f, s, _ in WIDTHS])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_width_is_read_to_full_scale_1(file_format: str, subtype: str, step: float, channels: int) -> None:
    samples = np.stack([tone(), -0.5 * tone(300)][:channels], axis=1)
    sound = decode(file_bytes(samples, 22050, subtype, file_format))
    assert (sound.samples.dtype, sound.samples.shape) == (np.float32, (4000, channels))
    assert (sound.rate, sound.format) == (22050, "FLAC" if file_format == "FLAC" else "WAV")
    np.testing.assert_allclose(sound.samples, samples, rtol=0, atol=step)


def wav_header(file: bytes, **changes: int) -> bytes:
    places = {"channels": (22, "<H"), "rate": (24, "<I"), "data": (40, "<I")}
    for name, value in changes.items():
        place, kind = places[name]
        file = file[:place] + struct.pack(kind, value) + file[place + struct.calcsize(kind) :]
    return file


def flac_of_unknown_length() -> bytes:
    data = bytearray(file_bytes(tone(), file_format="FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


def flac_that_claims(samples: int) -> bytes:
    data = bytearray(file_bytes(tone(), file_format="FLAC"))
    data[21] = data[21] & 0xF0 | samples >> 32
    data[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
    return bytes(data)


WAV, FLAC = file_bytes(tone()), file_bytes(tone(), file_format="FLAC")
BROKEN = {
    "empty": (b"", "the file is empty"),
    "text": (b"some words\n" * 99, "not a WAV or FLAC file"),
    "zeros": (bytes(5000), "not a WAV or FLAC file"),
    "wav cut short": (WAV[:-1001], "truncated: 1,001 bytes are missing at its end"),
    "wav cut in a sample": (WAV[:-1], "truncated: 1 bytes are missing"),
    "wav header alone": (WAV[:44], "truncated: 8,000 bytes are missing"),
    "wav cut in its header": (WAV[:30], "damaged (Error in WAV file. No 'data' chunk marker)"),
    "wav without samples": (file_bytes(tone()[:0]), "it holds no samples"),
    "wav of no channels": (wav_header(WAV, channels=0), "damaged (Channel count is zero)"),
    "wav of no rate": (wav_header(WAV, rate=0), "damaged"),
    "wav of a wild rate": (wav_header(WAV, rate=2**31 - 1), "a rate of 2,147,483,647 Hz is not credible"),
    "wav of a low rate": (file_bytes(tone(), 999), "a rate of 999 Hz is not credible"),
    "nan": (file_bytes(np.array([0, 0.5, np.nan]), subtype="FLOAT"), "sample 2 is not a finite number"),
    "infinity": (file_bytes(np.array([0, np.inf]), subtype="DOUBLE"), "sample 1 is not a finite number"),
    "floats of int16 range": (file_bytes(tone() * 32767, subtype="FLOAT"), "samples reach 16,38"),
    "flac cut short": (FLAC[: len(FLAC) // 2], "damaged (Error : flac decoder lost sync)"),
    "flac cut in its header": (FLAC[:60], "damaged"),
    "flac of unknown length": (flac_of_unknown_length(), "does not say how many samples it holds"),
    "flac bomb": (flac_that_claims(2**36 - 1), "68,719,476,735 samples are more than 64,000,000"),
    "ogg": (file_bytes(tone(), subtype="VORBIS", file_format="OGG"), "OGG, not WAV or FLAC"),
    "mp3": (file_bytes(tone(), subtype="MPEG_LAYER_III", file_format="MP3"), "MP3, not WAV or FLAC"),
    "aiff": (file_bytes(tone(), file_format="AIFF"), "AIFF, not WAV or FLAC"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    data, words = BROKEN[name]
    (tmp_path / "x").write_bytes(data)
    for source in (data, tmp_path / "x"):
        with pytest.raises(SoundError, match=re.escape(words)) as caught:
            decode(source)
        assert "0x" not in str(caught.value)  # no address of an object


@pytest.mark.parametrize("length", [0xFFFFFFFF, 2**31])
def test_only_a_length_that_means_unknown_may_be_wrong(length: int) -> None:
    data = wav_header(WAV, data=length)
    if length == 0xFFFFFFFF:  # written to a pipe
        assert len(decode(data).samples) == 4000
    else:
        with pytest.raises(SoundError, match="truncated"):
            decode(data)


def test_a_chunk_before_the_data_is_passed_over() -> None:
    odd = WAV[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + WAV[12:]
    np.testing.assert_array_equal(decode(odd).samples, decode(WAV).samples)
    with pytest.raises(SoundError, match="truncated: 7 bytes"):
        decode(odd[:-7])


def test_big_endian_wav_is_checked_too() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(), 8000, subtype="PCM_16", format="WAV", endian="BIG")
    assert buffer.getvalue()[:4] == b"RIFX"
    assert len(decode(buffer.getvalue()).samples) == 4000
    with pytest.raises(SoundError, match="truncated: 10 bytes"):
        decode(buffer.getvalue()[:-10])


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_a_resampled_tone_is_the_tone_at_the_new_rate(rate: int) -> None:
    encoded = convert(tone(700, rate, 1.0), rate, FORM)
    inner = slice(200, -200)  # at its ends a tone begins and stops, which no filter can follow
    expected = 32768 * tone(700, 8000, 1.0)
    np.testing.assert_allclose(encoded.row[inner], expected[inner], rtol=0, atol=3)
    assert (encoded.heard, encoded.kept, encoded.cut, encoded.trimmed) == (8000, 8000, 0, 0)


def test_resampling_agrees_with_scipy() -> None:
    generator = np.random.default_rng(0)
    # Noise below 3 kHz: what two filters do near the new Nyquist frequency is a matter of taste.
    spectrum = np.fft.rfft(generator.normal(size=32000))
    spectrum[round(3000 * 32000 / 16000) :] = 0
    samples = 0.1 * np.fft.irfft(spectrum)
    ours = convert(samples, 16000, replace(FORM, length=16000)).row / 32768
    theirs = resample_poly(samples, 1, 2, window=firwin(2001, 0.44))
    assert np.abs(ours - theirs)[300:-300].max() < 1e-4
    assert np.abs(ours)[300:-300].max() > 0.1


def test_what_lies_above_the_new_range_is_filtered_out() -> None:
    row = convert(tone(5000, 16000, 1.0), 16000, FORM).row
    assert np.abs(row[200:-200]).max() <= 1


def test_channels_are_averaged() -> None:
    left, right = tone(300), tone(1100, peak=0.3)
    both = convert(np.stack([left, right], axis=1), 8000, FORM).row
    np.testing.assert_array_equal(both, convert(np.float32((left + right) / 2), 8000, FORM).row)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([-32768, 0, 32767], np.int16), [-32768, 0, 32767]),
        (np.array([-(2**31), 2**16, 2**31 - 1], np.int32), [-32768, 1, 32767]),
        (np.array([0, 128, 255], np.uint8), [-32768, 0, 32512]),
        (np.array([-1.0, 2**-15, 1.0], np.float32), [-32768, 1, 32767]),
        (np.array([-1.5, 0.0, 1.5]), [-32768, 0, 32767]),
    ],
    ids=["int16", "int32", "uint8", "float32", "over full scale"],
)
def test_samples_of_every_kind(samples: np.ndarray, expected: list[int]) -> None:
    assert convert(samples, 8000, replace(FORM, length=3)).row.tolist() == expected


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros((2, 2, 2)), 8000, "shape (2, 2, 2) is no recording"),
        (np.zeros(0), 8000, "shape (0,) is no recording"),
        (np.zeros((2, 500)), 8000, "more channels than samples; transpose it"),
        (np.zeros(9, np.int64), 8000, "int64 samples have no known range"),
        (np.array(["a", "b"]), 8000, "no known range"),
        (np.array([0.0, np.nan]), 8000, "sample 1 is not a finite number"),
        (np.array([0.0, 300.0]), 8000, "samples reach 300"),
        (np.zeros(9), 0, "a rate of 0 Hz is not credible"),
        (np.zeros(2), 96000, "too short to be resampled"),
    ],
    ids=["three axes", "nothing", "transposed", "int64", "text", "nan", "too loud", "no rate", "too short"],
)
def test_samples_that_are_no_recording(samples: np.ndarray, rate: int, words: str) -> None:
    with pytest.raises(SoundError, match=re.escape(words)):
        convert(samples, rate, FORM)


def marks(places: int = 10) -> np.ndarray:
    """1, 2, 3, ... in int16 steps."""
    return np.arange(1, places + 1, dtype=np.int16)


@pytest.mark.parametrize(
    ("align", "length", "expected"),
    [
        ("start", 13, [*range(1, 11), 0, 0, 0]),
        ("centre", 13, [0, *range(1, 11), 0, 0]),
        ("start", 5, [1, 2, 3, 4, 5]),
        ("centre", 5, [3, 4, 5, 6, 7]),
        ("centre", 10, [*range(1, 11)]),
    ],
)
def test_cut_and_padded(align: Any, length: int, expected: list[int]) -> None:
    encoded = convert(marks(), 8000, replace(FORM, align=align, length=length))
    assert encoded.row.tolist() == expected
    assert (encoded.heard, encoded.cut, encoded.kept) == (10, max(10 - length, 0), min(length, 10))


def test_silence_is_trimmed_at_both_ends_only() -> None:
    faint, loud, gap = 0.005 * np.ones(400), 0.5 * np.ones(800), np.zeros(1600)
    samples = np.concatenate([gap, faint, loud, gap, loud, faint, gap])
    kept = {
        limit: convert(samples, 8000, replace(FORM, trim_db=limit, align="start", length=8000))
        for limit in (None, 60.0, 30.0)
    }
    assert [kept[limit].kept for limit in kept] == [7200, 4000, 3200]
    assert [kept[limit].trimmed for limit in kept] == [0, 3200, 4000]
    assert kept[30.0].row[:800].tolist() == [16384] * 800
    assert not kept[30.0].row[800:2400].any() and kept[30.0].row[2400:3200].all()


@pytest.mark.parametrize("trim", [None, 40.0])
@pytest.mark.parametrize("normalize", [None, "peak", "rms"])
def test_silence_stays_silence(trim: float | None, normalize: Any) -> None:
    encoded = convert(np.zeros(500), 8000, replace(FORM, trim_db=trim, normalize=normalize))
    assert not encoded.row.any()
    assert encoded.heard == 500 == encoded.trimmed + encoded.kept


@pytest.mark.parametrize("peak", [0.001, 0.2, 1.7])
def test_levels(peak: float) -> None:
    quiet = tone(peak=peak)
    peaks = convert(quiet, 8000, replace(FORM, normalize="peak", level_db=-6.0206)).row
    assert np.abs(peaks).max() == 16383 or np.abs(peaks).max() == 16384
    form = replace(FORM, normalize="rms", level_db=-20.0)
    rms = convert(quiet, 8000, form).row[2000:6000].astype(float)
    assert np.sqrt(np.mean(rms**2)) == pytest.approx(3276.7, rel=0.02)


def test_a_level_that_would_clip_is_not_reached() -> None:
    click = np.zeros(4000)
    click[2000], click[100] = 0.5, 0.01
    row = convert(click, 8000, replace(FORM, normalize="rms", level_db=-10.0)).row
    assert row.max() == 32767


FORMS = [
    replace(FORM, length=length, trim_db=trim, align=align, normalize=normalize, level_db=level)
    for length in (37, 400)
    for trim in (None, 5.0, 30.0, 60.0)
    for align in ("centre", "start")
    for normalize, level in ((None, -1.0), ("peak", -60.0), ("peak", 0.0), ("rms", -60.0), ("rms", -25.0), ("rms", 0.0))
]


@pytest.mark.parametrize("seed", range(6))
def test_a_row_is_encoded_as_itself(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for form in FORMS:
        count = int(generator.integers(1, 900))
        steps = np.repeat(generator.choice([0, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1], count // 40 + 1), 40)[:count]
        samples = (generator.normal(size=count) * steps * generator.choice([1e-3, 0.1, 3])).clip(-7, 7)
        first = convert(samples, 8000, form)
        assert first.heard == count == first.trimmed + first.cut + first.kept
        again = convert(first.row, 8000, form)
        np.testing.assert_array_equal(again.row, first.row)
        assert again.cut == 0


def test_a_written_example_is_read_as_the_same_row(tmp_path: Path) -> None:
    feature = FEATURE | {"trim_db": 40.0, "normalize": "rms", "level_db": -25.0}
    reader = Reader(feature)
    row = reader.encode((np.concatenate([np.zeros(900), tone(seconds=0.3), np.zeros(2500)]), 11025))
    assert save_example(row, feature, tmp_path / "row.0") == "row.0.wav"
    first = (tmp_path / "row.0.wav").read_bytes()
    assert soundfile.info(tmp_path / "row.0.wav").subtype == "PCM_16"
    np.testing.assert_array_equal(reader.encode(tmp_path / "row.0.wav"), row)
    save_example(row, feature, tmp_path / "row.0")
    assert (tmp_path / "row.0.wav").read_bytes() == first


def test_the_reader_takes_what_users_have(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(FLAC)
    samples = decode(FLAC).samples
    values = [
        str(path), path, FLAC, file_bytes(samples), samples, samples[:, 0].astype(np.float64), (samples, 8000), (samples, np.int64(8000)),
        {"samples": samples, "rate": 8000}, Recording(8000, samples), decode(path),
    ]  # fmt: skip
    reader = Reader(FEATURE)
    rows = [reader.encode(value) for value in values]
    assert all(np.array_equal(row, rows[0]) for row in rows)
    assert reader.stack(rows[:3]).shape == (3, 8000) and reader.stack(rows[:3]).dtype == np.int16
    other = reader.encode((samples, 16000))
    assert np.count_nonzero(other) < 0.6 * np.count_nonzero(rows[0])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nowhere.wav", "no such file"),
        (".", "cannot be read"),
        (b"text", "not a WAV or FLAC file"),
        ({"samples": np.zeros(9)}, "samples need their rate"),
        ((np.zeros(9), "8000"), "samples need their rate"),
        ((None, 8000), "samples need their rate"),
        (None, "no recording"),
        ([[["a"]]], "no recording"),
    ],
    ids=["missing", "folder", "text", "no rate", "rate as text", "no samples", "none", "list"],
)
def test_values_that_are_no_recording(value: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        Reader(FEATURE).encode(value)


def test_command_line_arguments(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", "c.txt"):
        (tmp_path / name).write_bytes(WAV)
    reader = Reader(FEATURE)
    assert list(reader.read("x/one.wav")) == [("x/one.wav", Path("x/one.wav"))]
    assert [name for name, _ in reader.read(str(tmp_path))] == [str(tmp_path / "a.flac"), str(tmp_path / "b.WAV")]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no WAV or FLAC file"):
        list(reader.read(str(tmp_path / "none")))


def test_the_module_can_be_shipped() -> None:
    source = Path(str(runtime.__file__)).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(from|import) stagewise", source, re.MULTILINE)
    assert [name.partition(">=")[0] for name in runtime.REQUIREMENTS] == ["soundfile", "soxr"]
