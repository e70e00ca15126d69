"""Folders of class folders with a text in each file."""

from pathlib import Path
from typing import Any

import pytest

from stagewise.data.readers.text_files import TextFolderReader
from stagewise.errors import DataError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "ingest.json").write_text("{}")
    return folder


def lay(raw: Path, *names: str) -> Path:
    for name in names:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text(f"text of {name}")
    return raw


def found(raw: Path, **config: Any) -> list[tuple[str, str | None, str | None]]:
    samples = list(TextFolderReader(**config, root=raw))
    assert all(sample.value == f"text of {sample.id}" for sample in samples)
    return [(sample.id, sample.label, sample.split) for sample in samples]


def test_class_folders_in_order(raw: Path) -> None:
    lay(raw, "top/good/b.txt", "top/good/deep/a.TXT", "top/bad/c.txt", "top/bad/notes.md", "top/bad/.hidden.txt")
    assert found(raw) == [
        ("top/bad/c.txt", "bad", None),
        ("top/good/b.txt", "good", None),
        ("top/good/deep/a.TXT", "good", None),
    ]
    assert found(raw, ending=".md") == [("top/bad/notes.md", "bad", None)]
    assert found(raw, path="top/good") == [("top/good/b.txt", None, None), ("top/good/deep/a.TXT", "deep", None)]


def test_split_folders(raw: Path) -> None:
    lay(raw, "reviews/test/x/1.txt", "reviews/train/x/2.txt", "reviews/dev/x/3.txt")
    splits = [("reviews/train/x/2.txt", "x", "train"), ("reviews/dev/x/3.txt", "x", "validation")]
    assert found(raw) == found(raw, splits=True) == [*splits, ("reviews/test/x/1.txt", "x", "test")]
    assert {label for _, label, _ in found(raw, splits=False)} == {"dev", "test", "train"}


def test_encodings_and_files_that_cannot_be_read(raw: Path) -> None:
    lay(raw, "x/0.txt")
    (raw / "x" / "1.txt").write_bytes(b"\xef\xbb\xbfna\xc3\xafve\r\n")
    (raw / "x" / "2.txt").write_bytes(b"na\xefve")
    (raw / "x" / "3.txt").write_bytes(b"")
    samples = list(TextFolderReader(root=raw))
    assert [sample.value for sample in samples] == ["text of x/0.txt", "naïve\r\n", None, ""]
    assert [sample.label for sample in samples] == ["x"] * 4
    assert samples[2].error == "'utf-8' codec can't decode byte 0xef in position 2: invalid continuation byte"
    (latin,) = [sample for sample in TextFolderReader(encoding="latin-1", root=raw) if sample.id == "x/2.txt"]
    assert latin.value == "naïve"


@pytest.mark.parametrize(
    ("names", "config", "message"),
    [
        (["x/a.md"], {}, "there is no text below"),
        (["x/a.txt"], {"splits": True}, "are no splits"),
        (["x/a.txt"], {"splits": "yes"}, "'yes' is not true, false or auto"),
        (["x/a.txt"], {"path": "x/a.txt"}, "x/a.txt is no folder"),
        (["x/a.txt"], {"path": "../.."}, "lies outside of raw"),
        (["x/a.txt"], {"encoding": "none"}, "there is no encoding 'none'"),
    ],
)
def test_mistakes(raw: Path, names: list[str], config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(TextFolderReader(**config, root=lay(raw, *names)))
