"""Arrays of .npz files, streamed, without pickle."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stagewise.data.readers.npz import NpzReader
from stagewise.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 5, 6), dtype=np.uint8)
LABELS = np.array([3, 0, 1, 2])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "images", [IMAGES, np.asfortranarray(IMAGES), np.stack([IMAGES] * 3, -1), IMAGES.astype(">u2")]
)
def test_values(tmp_path: Path, save: Any, images: np.ndarray) -> None:
    save(tmp_path / "mine.npz", images=images, labels=LABELS)
    reader = NpzReader(root=tmp_path)
    for _ in range(2):
        samples = list(reader)
        assert np.array_equal(np.stack([s.value for s in samples if s.value is not None]), images)
        assert [(s.id, s.label, s.split) for s in samples][:2] == [
            ("mine.npz#images/0", 3, None),
            ("mine.npz#images/1", 0, None),
        ]


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("x_train", "y_train", "x_test", "y_test"), ["train", "test"]),
        (("train_images", "train_labels", "val_images", "val_labels"), ["train", "validation"]),
        (("images", "labels", "other", "more"), [None]),
    ],
)
def test_usual_names(tmp_path: Path, names: tuple[str, ...], splits: list[str | None]) -> None:
    np.savez(tmp_path / "a.npz", **{name: (IMAGES, LABELS)[i % 2] for i, name in enumerate(names)})
    samples = list(NpzReader(root=tmp_path))
    assert [s.split for s in samples] == [split for split in splits for _ in range(4)]


def test_named_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pics=IMAGES, kinds=LABELS)
    np.savez(tmp_path / "b.npz", x=1)
    samples = list(NpzReader("a.npz", images={"test": "pics"}, labels={"test": "kinds"}, root=tmp_path))
    assert [(s.label, s.split) for s in samples] == [(3, "test"), (0, "test"), (1, "test"), (2, "test")]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(["b", "a", "b", "c"]), ["b", "a", "b", "c"]),
        (LABELS.reshape(4, 1).astype("u1"), [3, 0, 1, 2]),
        (np.array([1.0, np.nan, 0.0, 2.0]), [1, None, 0, 2]),
        (np.array([True, False, True, True]), [1, 0, 1, 1]),
    ],
)
def test_labels(tmp_path: Path, labels: np.ndarray, expected: list[Any]) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
    found = [sample.label for sample in NpzReader(root=tmp_path)]
    assert found == expected and [type(label) for label in found] == [type(label) for label in expected]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": IMAGES, "labels": LABELS[:3]}, "4 images, 3 labels"),
        ({"images": IMAGES[0], "labels": LABELS}, "images have 3 or 4 dimensions"),
        ({"images": IMAGES.astype("c8"), "labels": LABELS}, "is of type complex64, images are numbers"),
        ({"images": IMAGES, "labels": IMAGES}, "one label per image is needed"),
        ({"images": IMAGES, "labels": np.array([0.5, 1, 2, 3])}, "holds fractions"),
        ({"images": IMAGES, "labels": LABELS.astype("c8")}, "labels are integers or strings"),
        ({"images": IMAGES, "labels": np.array([{}, 1, 2, 3], object)}, "holds Python objects"),
        ({"images": IMAGES.astype(object), "labels": LABELS}, "holds Python objects"),
        ({"pics": IMAGES, "kinds": LABELS}, "it holds kinds\n  - it holds pics"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as caught:
        list(NpzReader(root=tmp_path))
    assert words in str(caught.value)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file ending in \.npz"):
        list(NpzReader(root=tmp_path))
    (tmp_path / "a.npz").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"a\.npz cannot be read"):
        list(NpzReader(root=tmp_path))
    np.savez(tmp_path / "b.npz", images=IMAGES, labels=LABELS)
    with pytest.raises(DataError, match=r"there are 2 files ending in \.npz"):
        list(NpzReader(root=tmp_path))
    with pytest.raises(DataError, match="has no array pics"):
        list(NpzReader("b.npz", images={"all": "pics"}, labels={"all": "labels"}, root=tmp_path))
    with pytest.raises(DataError, match="must name the same splits"):
        NpzReader("b.npz", images={"all": "pics"}, root=tmp_path)
    whole = (tmp_path / "b.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(whole.replace(IMAGES.tobytes()[:20], bytes(20)))
    with pytest.raises(DataError, match="Bad CRC"):
        list(NpzReader("b.npz", root=tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"(4, 5, 6)", b"(4, 5, 6,", "is no array"),
        (b"(4, 5, 6)", b"(4, 5, 7)", "is shorter than its header says"),
        (b"(4, 5, 6)", b"(4, 5,-6)", "has the shape (4, 5, -6)"),
        (b"|u1", b"|V0", "the type |V0"),
        (b"NUMPY", b"NUMPI", "is no array"),
    ],
)
def test_damaged_headers(tmp_path: Path, old: bytes, new: bytes, words: str) -> None:
    arrays = {}
    for name, array in {"images": IMAGES, "labels": LABELS}.items():
        np.save(tmp_path / "x.npy", array)
        arrays[name] = (tmp_path / "x.npy").read_bytes()
    assert old in arrays["images"]
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("images.npy", arrays["images"].replace(old, new, 1))
        file.writestr("labels.npy", arrays["labels"])
    with pytest.raises(DataError) as caught:
        list(NpzReader(root=tmp_path))
    assert words in str(caught.value)
