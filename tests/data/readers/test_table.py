"""Tables that name image files and their labels."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from stagewise.data.readers import table as table_module
from stagewise.data.readers.table import TableReader
from stagewise.data.sample import Sample
from stagewise.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """data/raw/ with data/raw/mine/pics/0.png to 4.png."""
    pics = tmp_path / "raw" / "mine" / "pics"
    pics.mkdir(parents=True)
    (tmp_path / "raw" / "ingest.json").write_text("{}")
    for number in range(5):
        Image.fromarray(np.full((2, 3), number, np.uint8)).save(pics / f"{number}.png")
    return pics.parent


def read(folder: Path, text: str | None = None, **config: Any) -> list[Sample]:
    if text is not None:
        (folder / "t.csv").write_text(text, encoding="utf-8")
    reader = TableReader(**config, root=folder.parent)
    samples = list(reader)
    assert [(s.id, s.error) for s in samples] == [(s.id, s.error) for s in reader]
    return samples


def test_csv(folder: Path) -> None:
    samples = read(folder, 'path,label,extra\npics/3.png,cat,1\n"pics/1.png"," a, b ",\n')
    assert [(s.id, s.label, s.split) for s in samples] == [
        ("mine/t.csv#1", "cat", None),
        ("mine/t.csv#2", "a, b", None),
    ]
    assert [s.value.tolist() for s in samples if s.value is not None] == [[[3] * 3] * 2, [[1] * 3] * 2]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["3", "-1", "0"], [3, -1, 0]),
        (["3", "", "0"], [3, None, 0]),
        (["3", "x", "0"], ["3", "x", "0"]),
        (["007", "1", "2"], ["007", "1", "2"]),
        (["1.5", "1", "2"], ["1.5", "1", "2"]),
    ],
)
def test_labels_are_integers_where_all_are(folder: Path, labels: list[str], expected: list[Any]) -> None:
    text = "label,path\n" + "".join(f"{label},pics/0.png\n" for label in labels)
    assert [sample.label for sample in read(folder, text)] == expected


@pytest.mark.parametrize("labels", [[1, None, 2], ["a", None, "b"], [1.0, None, 2.0], [1.0, float("nan"), 2.0]])
def test_parquet(folder: Path, labels: list[Any]) -> None:
    columns = {"file": [f"pics/{i}.png" for i in range(3)], "kind": labels, "part": ["train", "val", "test"]}
    parquet.write_table(pa.table(columns), folder / "t.parquet")
    samples = read(folder, path_column="file", label_column="kind", split_column="part")
    expected = ["a", None, "b"] if labels[0] == "a" else [1, None, 2]
    assert [(s.label, s.split) for s in samples] == list(zip(expected, ["train", "validation", "test"], strict=True))
    assert all(s.value is not None and s.error is None for s in samples)


def test_gzip_and_splits_that_are_missing(folder: Path) -> None:
    (folder / "t.csv.gz").write_bytes(gzip.compress(b"path,label,split\npics/0.png,a,\npics/1.png,a, Test \n"))
    assert [s.split for s in read(folder, split_column="split")] == [None, "test"]


def test_batches_do_not_change_the_numbers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "_ROWS", 2)
    parquet.write_table(
        pa.table({"path": [f"pics/{i}.png" for i in range(5)], "label": [*"abcde"]}), folder / "t.parquet"
    )
    assert [(s.id[-1], s.label) for s in read(folder)] == [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d"), ("5", "e")]


def test_broken_rows_are_broken_samples(folder: Path) -> None:
    (folder / "text.png").write_text("text")
    rows = [
        "pics/0.png,a",
        "none.png,b",
        "../../secret,c",
        "/etc/passwd,d",
        ",e",
        "text.png,f",
        "pics/1.png",
        "pics/2.png,g",
    ]
    samples = read(folder, "path,label\n" + "\n".join(rows) + "\n")
    assert [s.label for s in samples] == ["a", "b", "c", "d", "e", "f", "g", None]
    assert [s.value is None for s in samples] == [False, True, True, True, True, True, False, True]
    words = [
        "there is no file",
        "lies outside of raw",
        "lies outside of raw",
        "names no file",
        "text.png: not an image",
    ]
    assert all(word in str(sample.error) for word, sample in zip(words, samples[1:6], strict=True))
    assert "1 columns, 2 expected: pics/1.png" in str(samples[-1].error)


def test_a_file_of_the_folder_above_the_table(folder: Path) -> None:
    (folder / "tables").mkdir()
    (folder / "tables" / "t.csv").write_text("path,label\n../pics/2.png,a\n")
    samples = list(TableReader("mine/tables/t.csv", root=folder.parent))
    assert samples[0].value is not None and samples[0].value.max() == 2


@pytest.mark.parametrize(
    ("text", "config", "words"),
    [
        ("file,label\nx,y\n", {}, "t.csv has no column path\n  where"),
        ("file,label\nx,y\n", {}, "it has file\n  - it has label"),
        ("path,label,split\npics/0.png,a,holdout\n", {"split_column": "split"}, "'holdout' is no split"),
        ("path,path,label\nx,y,z\n", {}, "t.csv has more than one column path"),
        ("", {}, "t.csv cannot be read"),
        ("path,label\n", {"file": "none.csv"}, "there is no none.csv"),
        ("path,label\n", {"file": "../../x.csv"}, "lies outside of raw"),
    ],
)
def test_mistakes(folder: Path, text: str, config: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(folder, text, **config)
    assert words in str(caught.value)


def test_tables_that_are_none(folder: Path) -> None:
    with pytest.raises(DataError, match="there is no file ending in"):
        read(folder)
    (folder / "t.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match=r"t\.parquet cannot be read"):
        read(folder)
