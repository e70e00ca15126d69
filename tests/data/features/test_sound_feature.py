"""Recordings to stored rows, their statistics, their report and their picture."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stagewise.data.features.sound import SoundFeature
from stagewise.data.features.sound_entry import SoundEntry
from stagewise.data.features.sound_sheet import draw_recording, write_sound_sheet
from stagewise.data.layout import Layout
from stagewise.data.recording import Recording
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, TargetEntry, read_schema, write_schema
from stagewise.data.storage import SplitWriter
from stagewise.errors import ConfigError
from stagewise.report.displays.sound import SoundDisplay
from stagewise.runtime.sound import Reader


def tone(hertz: float, rate: int, seconds: float, peak: float = 0.5) -> Recording:
    samples = peak * np.cos(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)
    return Recording(rate, samples[:, None].astype(np.float32))


def rows(feature: SoundFeature, count: int = 40) -> np.ndarray:
    generator = np.random.default_rng(0)
    recordings = [tone(generator.uniform(100, 3000), 8000, generator.uniform(0.1, 0.4)) for _ in range(count)]
    return np.stack([feature.check(recording) for recording in recordings])


def test_rows_have_one_form() -> None:
    feature = SoundFeature(8000, 0.25)
    assert feature.spooled == feature.stored == Layout(np.dtype(np.int16), (2000,))
    assert rows(feature).shape == (40, 2000) and rows(feature).dtype == np.int16
    block = rows(feature)
    assert feature.encode(block) is block


def test_the_stored_row_is_what_the_package_makes_of_the_recording() -> None:
    feature = SoundFeature(8000, 0.3, trim_db=30, align="start", normalize="rms", level_db=-20)
    recording = tone(500, 22050, 0.5)
    feature.fit([(rows(feature), np.zeros(40))])
    entry = json.loads(feature.describe().model_dump_json())
    np.testing.assert_array_equal(Reader(entry).encode(recording), feature.check(recording))


def test_statistics_are_fitted_on_all_blocks_and_do_not_depend_on_them() -> None:
    feature, other = SoundFeature(8000, 0.25), SoundFeature(8000, 0.25)
    data = rows(feature)
    feature.fit([(data, np.zeros(40))])
    other.fit((data[begin : begin + 7], np.zeros(7)) for begin in range(0, 40, 7))
    entry = feature.describe()
    assert entry == other.describe()
    spectrograms = entry.log_mel()(data)
    np.testing.assert_allclose(entry.mean, spectrograms.mean(axis=(0, 2)), atol=1e-6)
    np.testing.assert_allclose(entry.std, spectrograms.std(axis=(0, 2)), atol=1e-6)


def test_the_entry_says_everything(tmp_path: Path) -> None:
    feature = SoundFeature(16000, 0.5, trim_db=40, mels=64, window_ms=32, hop_ms=16, fmin=50, fmax=7000, floor_db=-90)
    feature.fit([(np.zeros((2, 8000), np.int16), np.zeros(2))])
    entry = feature.describe()
    assert (entry.name, entry.kind, entry.dtype, entry.shape, entry.storage) == (
        "sound",
        "sound",
        "int16",
        (8000,),
        "fixed",
    )
    assert (entry.rate, entry.seconds, entry.trim_db, entry.align, entry.normalize) == (16000, 0.5, 40, "centre", None)
    spectrogram = entry.log_mel()
    assert (spectrogram.window, spectrogram.hop, spectrogram.frames, spectrogram.mels) == (512, 256, 32, 64)
    assert (spectrogram.fmin, spectrogram.fmax, spectrogram.floor_db) == (50, 7000, -90)
    assert (entry.mean, entry.std) == ([0.0] * 64, [1.0] * 64)
    schema = DataSchema(name="x", features=[entry], target=ClassTarget(classes=["a", "b"], outputs=2), splits={})
    write_schema(schema, tmp_path)
    assert read_schema(tmp_path).feature.narrow(SoundEntry) == entry


def test_the_report_counts_what_was_done() -> None:
    feature = SoundFeature(8000, 0.5, trim_db=40)
    silence = np.zeros((4000, 1), np.float32)
    feature.check(tone(440, 8000, 1.0))
    feature.check(tone(440, 16000, 0.25))
    feature.check(Recording(8000, np.concatenate([silence, tone(440, 8000, 0.5).samples])))
    feature.check(Recording(44100, np.zeros((441, 2), np.float32)))
    report = feature.report()
    warnings = report.pop("warnings")
    assert report == {
        "recordings": 4,
        "rates": {"8000": 2, "16000": 1, "44100": 1},
        "seconds": {"stored": 0.5, "shortest": 0.01, "longest": 1.0, "all": 2.3},
        "cut": 1,
        "padded": 2,
        "silent": 1,
        "cut_share": round(4000 / 18080, 4),
        "trimmed_share": round(4080 / 18080, 4),
    }
    assert warnings == [
        "1 of 4 recordings are longer than 0.5 s and were cut: raise data.feature.seconds (the longest has 1.00 s)",
        "1 of 4 recordings are silent",
    ]
    assert SoundFeature(8000, 0.5).report() == {"recordings": 0}


def test_a_lower_rate_than_that_of_the_rows_is_warned_of() -> None:
    feature = SoundFeature(16000, 0.5)
    feature.check(tone(440, 8000, 0.5))
    feature.check(tone(440, 44100, 0.5))
    (warning,) = feature.report()["warnings"]
    assert warning.startswith("1 of 2 recordings have a lower rate than data.feature.rate (16000 Hz)")


def test_what_is_no_recording_is_a_value_error() -> None:
    feature = SoundFeature(8000, 0.5)
    with pytest.raises(ValueError, match="the reader gives no recordings"):
        feature.check(np.zeros((4, 4), np.uint8))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a finite number"):
        feature.check(Recording(8000, np.full((9, 1), np.nan, np.float32)))
    assert feature.report() == {"recordings": 0}


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"align": "end"}, "align"),
        ({"normalize": "max"}, "normalize"),
        ({"level_db": -61}, "level_db"),
        ({"level_db": 1}, "level_db"),
        ({"hop_ms": 30}, "hop_ms"),
        ({"hop_ms": 0.01}, "hop_ms"),
        ({"window_ms": 600}, "seconds"),
        ({"fmax": 4001}, "fmax"),
        ({"fmin": 300, "fmax": 200}, "fmax"),
        ({"mels": 200}, "mels"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else None,
)
def test_impossible_arguments_name_their_key(arguments: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SoundFeature(8000, 0.5, **arguments)
    assert caught.value.where == f"data.feature.{where}" and caught.value.fix


def processed(folder: Path, classes: list[str] | None) -> DataSchema:
    feature = SoundFeature(8000, 0.25)
    data = rows(feature)
    feature.fit([(data, np.zeros(40))])
    folder.mkdir()
    with SplitWriter(folder / "train.arrow", feature.stored, 16) as writer:
        writer.write(data, np.arange(40) % 3, [f"{row}.wav" for row in range(40)])
    target = TargetEntry(name="age", kind="number", outputs=1)
    if classes:
        target = ClassTarget(classes=classes, outputs=len(classes))
    splits = {"train": SplitInfo(file="train.arrow", rows=40, sha256="0" * 64)}
    schema = DataSchema(name="tones", features=[feature.describe()], target=target, splits=splits)
    write_schema(schema, folder)
    return read_schema(folder)


@pytest.mark.parametrize("classes", [["yes", "no", "früh"], None], ids=["classes", "number"])
def test_the_picture_has_equal_bytes_and_a_line_per_class(classes: list[str] | None, tmp_path: Path) -> None:
    schema = processed(tmp_path / "processed", classes)
    write_sound_sheet(schema, tmp_path / "processed", tmp_path / "a.png")
    write_sound_sheet(schema, tmp_path / "processed", tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.height > 140 * (3 if classes else 1)
        assert len(sheet.convert("RGB").getcolors(1 << 20) or []) > 100
    # With one copy of each row only the first half is drawn, so other rows appear.
    write_sound_sheet(schema, tmp_path / "processed", tmp_path / "c.png", copies=19)
    assert (tmp_path / "c.png").read_bytes() != (tmp_path / "a.png").read_bytes()


def test_the_picture_shows_the_tone_in_its_band(tmp_path: Path) -> None:
    schema = processed(tmp_path / "processed", ["a", "b", "c"])
    entry = schema.feature.narrow(SoundEntry)
    feature = SoundFeature(8000, 0.25)
    heights = []
    for hertz in (300, 3000):
        pixels = np.asarray(draw_recording(entry, feature.check(tone(hertz, 8000, 0.25)))).sum(axis=2)
        heights.append(int(pixels[40:, 84].argmax()))
    assert heights[0] > 60 and heights[1] < 20


def test_a_row_is_shown_to_people(tmp_path: Path) -> None:
    display = SoundDisplay(processed(tmp_path / "processed", ["a", "b", "c"]))
    row = SoundFeature(8000, 0.25).check(tone(440, 8000, 0.1))
    assert display.draws and isinstance(display.text(row), str)
    picture = display.picture(row)
    assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8
    assert (picture != display.picture(np.zeros(2000, np.int16))).any()


def test_preprocessing_needs_no_torch() -> None:
    code = "import sys, stagewise.data.features.sound, stagewise.data.readers.sound_files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
