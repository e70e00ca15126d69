"""Sound files in folders, described by their names, or listed in a table."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from stagewise.data.readers.sound_files import SoundFilesReader
from stagewise.data.recording import Recording
from stagewise.data.sample import Sample
from stagewise.errors import ConfigError, DataError

PATTERN = "(?P<label>[0-9])_(?P<speaker>[a-z]+)_(?P<take>[0-9]+)[.]wav"


def write(path: Path, samples: Any = None, rate: int = 8000, subtype: str = "PCM_16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(40, 0.5) if samples is None else samples, rate, subtype=subtype)
    return path


def lay(root: Path, *names: str) -> Path:
    for name in names:
        if Path(name).suffix.lower() in {".wav", ".flac"}:
            write(root / name)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("text")
    return root


def read(root: Path, **config: Any) -> list[Sample]:
    reader = SoundFilesReader(**config, root=root)
    samples = list(reader)
    assert [(s.id, s.error) for s in samples] == [(s.id, s.error) for s in reader]
    assert all(isinstance(s.value, Recording) == (s.error is None) for s in samples)
    return samples


def facts(root: Path, **config: Any) -> list[tuple[str, Any, str | None]]:
    return [(s.id, s.label, s.split) for s in read(root, **config)]


FORMATS = [
    (rate, channels, subtype, suffix)
    for rate in (8000, 16000, 22050, 44100)
    for channels, subtype, suffix in [
        (1, "PCM_U8", "wav"), (2, "PCM_16", "WAV"), (1, "PCM_24", "wave"), (6, "PCM_32", "wav"), (1, "FLOAT", "wav"),
        (2, "DOUBLE", "wav"), (1, "PCM_S8", "flac"), (2, "PCM_16", "flac"), (1, "PCM_24", "FLAC"),
    ]
]  # fmt: skip


def test_every_rate_width_and_number_of_channels(tmp_path: Path) -> None:
    expected = {}
    for number, (rate, channels, subtype, suffix) in enumerate(FORMATS):
        samples = np.random.default_rng(number).uniform(-0.9, 0.9, (50 + number, channels))
        path = tmp_path / f"yes/{number:02}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        file_format = "FLAC" if suffix.lower() == "flac" else "WAV"
        soundfile.write(path, samples, rate, subtype=subtype, format=file_format)
        expected[path.name] = (rate, samples, 2**-7 if "8" in subtype else 2**-15)
    found = {Path(s.id).name: s.value for s in read(tmp_path)}
    assert found.keys() == expected.keys()
    for name, (rate, samples, step) in expected.items():
        assert found[name].rate == rate and found[name].samples.dtype == np.float32
        np.testing.assert_allclose(found[name].samples, samples, rtol=0, atol=step)


def test_class_folders_however_wrapped(tmp_path: Path) -> None:
    lay(tmp_path, "ingest.json", "a/b/no/2.wav", "a/b/no/deep/1.flac", "a/b/yes/1.WAV", "a/b/yes/notes.txt")
    lay(tmp_path, "a/b/yes/.hidden.wav", "a/b/.trash/1.wav", "a/b/yes/cover.png")
    expected = [
        ("a/b/no/2.wav", "no", None),
        ("a/b/no/deep/1.flac", "no", None),
        ("a/b/yes/1.WAV", "yes", None),
    ]
    assert facts(tmp_path) == facts(tmp_path, path="a/b") == facts(tmp_path, path="b") == expected


def test_published_splits_as_folders(tmp_path: Path) -> None:
    lay(tmp_path, "w/test/no/1.wav", "w/val/no/2.wav", "w/Train/yes/3.wav", "w/Train/no/4.wav")
    assert facts(tmp_path) == [
        ("w/Train/no/4.wav", "no", "train"),
        ("w/Train/yes/3.wav", "yes", "train"),
        ("w/test/no/1.wav", "no", "test"),
        ("w/val/no/2.wav", "no", "validation"),
    ]


def test_folders_that_only_look_like_splits(tmp_path: Path) -> None:
    assert {(label, split) for _, label, split in facts(lay(tmp_path, "train/1.wav", "bus/2.wav"))} == {
        ("train", None),
        ("bus", None),
    }
    assert facts(lay(tmp_path / "lone", "train/1.wav")) == [("train/1.wav", "train", None)]


def test_a_file_beside_the_class_folders_has_no_label(tmp_path: Path) -> None:
    assert facts(lay(tmp_path, "no/1.wav", "stray.wav")) == [("no/1.wav", "no", None), ("stray.wav", None, None)]


def test_names_give_labels_and_splits(tmp_path: Path) -> None:
    lay(tmp_path, "z/rec/0_ann_0.wav", "z/rec/1_bob_0.wav", "z/rec/0_bob_7.wav", "z/rec/3_cid_1.wav", "z/readme.md")
    split = {"test": {"take": ["0"]}, "val": {"speaker": ["bob", "cid"], "take": ["7", 0]}}
    assert facts(tmp_path, path="rec", pattern=PATTERN, split=split) == [
        ("z/rec/0_ann_0.wav", "0", "test"),
        ("z/rec/0_bob_7.wav", "0", "validation"),
        ("z/rec/1_bob_0.wav", "1", "test"),
        ("z/rec/3_cid_1.wav", "3", None),
    ]
    assert {split for _, _, split in facts(tmp_path, pattern=PATTERN)} == {None}


def test_a_pattern_without_label_leaves_it_to_the_folder(tmp_path: Path) -> None:
    lay(tmp_path, "speech/yes/ab12_nohash_0.wav", "speech/no/ab12_nohash_1.wav", "speech/no/ff00_nohash_0.wav")
    pattern = "(?P<speaker>[0-9a-f]+)_nohash_[0-9]+[.]wav"
    assert facts(tmp_path, pattern=pattern, split={"test": {"speaker": ["ff00"]}}) == [
        ("speech/no/ab12_nohash_1.wav", "no", None),
        ("speech/no/ff00_nohash_0.wav", "no", "test"),
        ("speech/yes/ab12_nohash_0.wav", "yes", None),
    ]


def test_an_optional_group_that_is_absent_fits_no_split(tmp_path: Path) -> None:
    lay(tmp_path, "a_x.wav", "a.wav")
    pattern = "(?P<label>[a-z])(?:_(?P<room>[a-z]))?[.]wav"
    assert facts(tmp_path, pattern=pattern, split={"test": {"room": ["x"]}}) == [
        ("a.wav", "a", None),
        ("a_x.wav", "a", "test"),
    ]


def test_broken_files_are_named_one_by_one(tmp_path: Path) -> None:
    write(tmp_path / "no/00.wav")
    whole = write(tmp_path / "yes/00.wav")
    flac = write(tmp_path / "yes/01.flac")
    data = whole.read_bytes()
    folder = whole.parent
    (folder / "02.wav").write_bytes(data[:-11])
    (folder / "03.wav").write_bytes(b"no sound at all")
    (folder / "04.wav").write_bytes(b"")
    write(folder / "05.wav", np.array([0.1, np.nan]), subtype="FLOAT")
    shutil.copy(flac, folder / "06.wav")
    shutil.copy(whole, folder / "07.flac")
    shutil.copy(whole, folder / "08.mp3")
    (folder / "09.flac").write_bytes(flac.read_bytes()[:50])
    (folder / "10.wav").mkdir()
    (folder / "11.wav").symlink_to(folder / "gone.wav")
    write(folder / "12.wav", np.zeros((0,)))
    samples = [s for s in read(tmp_path) if s.id.startswith("yes/")]
    assert {s.label for s in samples} == {"yes"}
    errors = {Path(s.id).name: s.error for s in samples if s.error}
    words = {
        "02.wav": "truncated: 11 bytes are missing at its end",
        "03.wav": "not a WAV or FLAC file",
        "04.wav": "the file is empty",
        "05.wav": "sample 1 is not a finite number",
        "06.wav": "it is a FLAC file, but its name ends in .wav",
        "07.flac": "it is a WAV file, but its name ends in .flac",
        "08.mp3": "files ending in .mp3 are not read: convert it to WAV or FLAC",
        "09.flac": "damaged (Error : unknown error in flac decoder)",
        "11.wav": "it cannot be read (No such file or directory)",
        "12.wav": "it holds no samples",
    }
    assert errors == words
    assert [Path(s.id).name for s in samples if s.error is None] == ["00.wav", "01.flac"]


def test_a_name_that_does_not_match_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, "1_ann_0.wav", "1_ann.wav", "x1_ann_0.wav", "1_ann_0.wav.flac", "readme.txt")
    samples = read(tmp_path, pattern=PATTERN)
    assert [s.error for s in samples if s.id != "1_ann_0.wav"] == ["its name does not match data.reader.pattern"] * 3
    assert [s.id for s in samples if s.error is None] == ["1_ann_0.wav"]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """data/raw/ with a folder of recordings; their first sample tells which is which."""
    raw = tmp_path / "raw"
    for number in range(3):
        write(raw / f"mine/rec/{number}.wav", np.full(9, number / 4))
    return raw


def listing(raw: Path, text: str, **config: Any) -> list[Sample]:
    (raw / "mine" / "t.csv").write_text(text, encoding="utf-8")
    return read(raw, table="t.csv", **config)


def test_a_table(listed: Path) -> None:
    samples = listing(listed, "\ufeffpath,label,part\nrec/2.wav, a b ,test\n\nrec/1.wav,c,\n", split_column="part")
    assert [(s.id, s.label, s.split) for s in samples] == [
        ("mine/t.csv#1", "a b", "test"),
        ("mine/t.csv#2", "c", None),
    ]
    assert [s.value.samples[0, 0] for s in samples] == [0.5, 0.25]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["3", "-1", "0"], [3, -1, 0]),
        (["3", "", "0"], [3, None, 0]),
        (["3", "x", "0"], ["3", "x", "0"]),
        (["01"], ["01"]),
    ],
)
def test_labels_of_a_table_are_integers_where_all_are(listed: Path, labels: list[str], expected: list[Any]) -> None:
    text = "label,path\n" + "".join(f"{label},rec/0.wav\n" for label in labels)
    assert [s.label for s in listing(listed, text)] == expected


def test_broken_rows_of_a_table_are_broken_samples(listed: Path) -> None:
    (listed / "mine/rec/bad.wav").write_bytes(b"RIFF")
    rows = [
        "rec/0.wav,a",
        "none.wav,b",
        "../../secret.wav,c",
        "/etc/passwd,d",
        ",e",
        "rec/bad.wav,f",
        "rec/1.wav",
        "t.csv,g",
    ]
    samples = listing(listed, "path,label\n" + "\n".join(rows) + "\n")
    assert [s.error for s in samples] == [
        None,
        "there is no file none.wav",
        "../../secret.wav lies outside of raw",
        "/etc/passwd lies outside of raw",
        "it names no file",
        "rec/bad.wav: not a WAV or FLAC file",
        "it has 1 columns, 2 expected: rec/1.wav",
        "t.csv: files ending in .csv are not read: convert it to WAV or FLAC",
    ]


@pytest.mark.parametrize(
    ("text", "config", "words"),
    [
        ("file,label\nx,y\n", {}, "t.csv has no column path\n  where"),
        ("path,path,label\nx,y,z\n", {}, "t.csv has more than one column path"),
        ("", {}, "t.csv has no column path"),
        ("path,label\n", {}, "there is no recording below"),
        ("path,label,split\nrec/0.wav,a,holdout\n", {"split_column": "split"}, "'holdout' is no split"),
        ("path,label\nrec/0.wav,\x00\x00\n", {"path_column": "none"}, "has no column none"),
    ],
    ids=["no column", "twice", "empty", "no rows", "no split", "other column"],
)
def test_mistakes_in_tables(listed: Path, text: str, config: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        listing(listed, text, **config)
    assert words in str(caught.value)


def test_a_table_that_is_no_text(listed: Path) -> None:
    (listed / "mine" / "t.csv").write_bytes(b"path,label\nrec/\xff\xfe.wav,a\n")
    with pytest.raises(DataError, match=r"t\.csv cannot be read"):
        read(listed, table="t.csv")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "there is no recording below"),
        ({"path": "nowhere"}, "there is no nowhere"),
        ({"path": ".."}, "lies outside"),
        ({"path": "readme.txt"}, "is no folder"),
        ({"table": "none.csv"}, "there is no none.csv"),
    ],
)
def test_mistakes(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    lay(tmp_path, "readme.txt", "a/notes.txt")
    with pytest.raises(DataError, match=words):
        read(tmp_path, **config)


def test_a_table_takes_no_pattern(tmp_path: Path) -> None:
    for other in ({"pattern": PATTERN}, {"split": {"test": {"take": ["0"]}}}):
        with pytest.raises(ConfigError, match="a table takes no pattern and no split"):
            SoundFilesReader(table="t.csv", **other, root=tmp_path)


def test_a_value_that_no_name_has_is_told(tmp_path: Path) -> None:
    lay(tmp_path, "0_ann_0.wav", "1_bob_0.wav")
    with pytest.raises(DataError) as caught:
        read(tmp_path, pattern=PATTERN, split={"test": {"speaker": ["ann", "Bob"]}})
    assert "no recording has the speaker 'Bob'" in str(caught.value)
    assert "there is 'ann'\n  - there is 'bob'" in str(caught.value)
    assert caught.value.where == "data.reader.split.test.speaker"
