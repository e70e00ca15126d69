"""CSV files with one image per row."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stagewise.data.readers.pixel_table import PixelTableReader
from stagewise.data.sample import Sample
from stagewise.errors import DataError


def read(root: Path, text: str, **config: Any) -> list[Sample]:
    (root / "t.csv").write_text(text, encoding="utf-8")
    reader = PixelTableReader(**({"shape": [1, 2]} | config), root=root)
    samples = list(reader)
    assert [s.id for s in samples] == [s.id for s in reader]
    return samples


def pixels(samples: list[Sample]) -> list[Any]:
    return [None if s.value is None else s.value.ravel().tolist() for s in samples]


def test_scaling_and_labels(tmp_path: Path) -> None:
    samples = read(tmp_path, "0,16,3\n8,1.5,7.0\n\n16, 0 ,cat\n1,2,\n", maximum=16, label="last")
    assert pixels(samples) == [[0, 255], [128, 24], [255, 0], [16, 32]]
    assert [s.label for s in samples] == [3, 7, "cat", None]
    assert [s.id for s in samples] == ["t.csv#1", "t.csv#2", "t.csv#4", "t.csv#5"]
    assert all(s.value is not None and s.value.dtype == np.uint8 and s.value.shape == (1, 2) for s in samples)


def test_label_first_header_and_colour(tmp_path: Path) -> None:
    samples = read(tmp_path, '\ufefflabel,a,b,c\n"a b",1,2,3\n4,5,6,7\n', shape=[1, 1, 3], header=True)
    assert pixels(samples) == [[1, 2, 3], [5, 6, 7]] and [s.label for s in samples] == ["a b", 4]


def test_bad_rows_are_broken_samples(tmp_path: Path) -> None:
    text = "1,10,20\n2,10\n3,x,20\n4,10,256\n5,-1,0\n6,nan,0\n7,1,2,3\n8\n9,,5\n1,30,40\n"
    samples = read(tmp_path, text)
    assert pixels(samples) == [[10, 20], *[None] * 8, [30, 40]]
    errors = ["1 pixels", "no number", "outside of 0 to 255", "outside", "outside", "3 pixels", "0 pixels", "no number"]
    assert all(words in str(sample.error) for words, sample in zip(errors, samples[1:9], strict=True))
    assert [s.label for s in samples] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]


def test_many_rows_in_order_from_gzip(tmp_path: Path) -> None:
    rows = [f"{i % 10},{i % 256},{i % 7}" for i in range(1500)]
    rows[700] = "bad"
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    samples = list(PixelTableReader(shape=(1, 2), root=tmp_path))
    assert [s.value is None for s in samples].index(True) == 700 and len(samples) == 1500
    assert pixels(samples)[1499] == [1499 % 256, 1499 % 7]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"shape": [4]}, "[4] is no [height, width]"),
        ({"shape": [0, 2]}, "[0, 2] is no"),
        ({"maximum": 0}, "0 is not above 0"),
        ({"label": "middle"}, "'middle' is neither"),
        ({"file": "none.csv"}, "there is no none.csv"),
    ],
)
def test_mistakes(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, "1,2,3\n", **config)
    assert words in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b""])
def test_files_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    if content:
        with pytest.raises(DataError, match=r"t\.csv cannot be read"):
            list(PixelTableReader(root=tmp_path))
    else:
        assert list(PixelTableReader(root=tmp_path)) == []


def test_a_cut_gzip(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"1,2,3\n" * 99)[:-9])
    with pytest.raises(DataError, match=r"t\.csv\.gz cannot be read"):
        list(PixelTableReader(shape=(1, 2), root=tmp_path))
