"""Class folders, however they are wrapped, nested or split."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stagewise.data.readers.folder import ImageFolderReader
from stagewise.errors import DataError


def lay(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((4, 5, 3), number, np.uint8)
        if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif"}:
            Image.fromarray(pixels).save(path)
        else:
            path.write_text("text")
    return root


def read(root: Path, **config: Any) -> list[tuple[str, Any, str | None]]:
    reader = ImageFolderReader(**config, root=root)
    samples = list(reader)
    assert [s.id for s in samples] == [s.id for s in reader]
    assert all((s.value is None) == (s.error is not None) for s in samples)
    return [(s.id, s.label, s.split) for s in samples]


def test_one_wrapping_folder_and_every_format(tmp_path: Path) -> None:
    lay(tmp_path, "ingest.json", "flowers/tulip/b.JPG", "flowers/tulip/a.png", "flowers/rose/x/y.webp")
    lay(tmp_path, "flowers/rose/a.bmp", "flowers/rose/b.jpeg", "flowers/rose/c.tif", "flowers/rose/notes.txt")
    lay(tmp_path, "flowers/rose/.hidden.png", "flowers/.trash/a.png")
    assert read(tmp_path) == [
        ("flowers/rose/a.bmp", "rose", None),
        ("flowers/rose/b.jpeg", "rose", None),
        ("flowers/rose/c.tif", "rose", None),
        ("flowers/rose/x/y.webp", "rose", None),
        ("flowers/tulip/a.png", "tulip", None),
        ("flowers/tulip/b.JPG", "tulip", None),
    ]


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    lay(tmp_path, "0/a.png", "7/b.png")
    values = [sample.value for sample in ImageFolderReader(root=tmp_path)]
    assert [(v.shape, v.dtype.name, int(v.max())) for v in values if v is not None] == [
        ((4, 5, 3), "uint8", 0),
        ((4, 5, 3), "uint8", 1),
    ]


def test_published_splits(tmp_path: Path) -> None:
    lay(tmp_path, "w/v/test/cat/1.png", "w/v/val/cat/2.png", "w/v/Train/dog/3.png", "w/v/Train/cat/4.png")
    expected = [
        ("w/v/Train/cat/4.png", "cat", "train"),
        ("w/v/Train/dog/3.png", "dog", "train"),
        ("w/v/val/cat/2.png", "cat", "validation"),
        ("w/v/test/cat/1.png", "cat", "test"),
    ]
    assert read(tmp_path) == read(tmp_path, splits=True) == read(tmp_path, path="w/v") == expected
    assert {label for _, label, _ in read(tmp_path, splits=False)} == {"Train", "val", "test"}


@pytest.mark.parametrize("names", [("train/1.png", "car/2.png"), ("train/1.png", "test/2.png")])
def test_folders_that_only_look_like_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    lay(tmp_path, *names)
    assert {(label, split) for _, label, split in read(tmp_path)} == {(n.split("/")[0], None) for n in names}
    with pytest.raises(DataError, match="are no splits"):
        read(tmp_path, splits=True)


def test_a_lone_split_and_a_lone_class(tmp_path: Path) -> None:
    assert read(lay(tmp_path / "a", "train/cat/1.png")) == [("train/cat/1.png", "cat", "train")]
    assert read(lay(tmp_path / "b", "flowers/rose/1.png")) == [("flowers/rose/1.png", "rose", None)]


def test_an_image_beside_the_classes_has_no_label(tmp_path: Path) -> None:
    lay(tmp_path, "cat/1.png", "stray.png")
    assert read(tmp_path) == [("cat/1.png", "cat", None), ("stray.png", None, None)]


def test_a_broken_image_is_one_broken_sample(tmp_path: Path) -> None:
    lay(tmp_path, "cat/1.png", "cat/3.png")
    (tmp_path / "cat/2.png").write_bytes(b"not an image")
    samples = list(ImageFolderReader(root=tmp_path))
    assert [s.error is None for s in samples] == [True, False, True]
    assert samples[1].label == "cat" and samples[1].value is None and "not an image" in str(samples[1].error)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "there is no image below"),
        ({"path": "nowhere"}, "there is no nowhere"),
        ({"path": ".."}, "lies outside"),
        ({"path": "readme.txt"}, "is no folder"),
        ({"splits": "yes"}, "'yes' is not true, false or auto"),
    ],
)
def test_mistakes(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    lay(tmp_path, "readme.txt", "a/notes.txt")
    with pytest.raises(DataError) as caught:
        read(tmp_path, **config)
    assert words in str(caught.value)
