"""IDX headers are read for real, and what does not fit them is told."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from stagewise.data.readers.idx import IdxReader
from stagewise.errors import DataError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: np.ndarray) -> bytes:
    code = CODES[array.dtype.str[1:]]
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def images(shape: tuple[int, ...], dtype: str = "u1") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def reader(root: Path, values: bytes, targets: bytes, split: str = "train") -> IdxReader:
    (root / "images").write_bytes(values)
    (root / "labels").write_bytes(targets)
    return IdxReader({split: "images"}, {split: "labels"}, root=root)


LABELS = np.array([3, 1, 2], "u1")


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 3)])
@pytest.mark.parametrize("packed", [False, True])
def test_values_and_labels(tmp_path: Path, dtype: str, shape: tuple[int, ...], packed: bool) -> None:
    array = images(shape, dtype)
    pack = gzip.compress if packed else bytes
    found = reader(tmp_path, pack(idx(array)), pack(idx(LABELS)))
    for _ in range(2):  # it can be read again
        samples = list(found)
        assert np.array_equal(np.stack([sample.value for sample in samples if sample.value is not None]), array)
        assert all(sample.value is not None and sample.value.dtype == np.dtype(dtype) for sample in samples)
        assert [(s.id, s.label, s.split) for s in samples] == [
            ("images#0", 3, "train"),
            ("images#1", 1, "train"),
            ("images#2", 2, "train"),
        ]


def test_splits_in_a_wrapping_folder(tmp_path: Path) -> None:
    (tmp_path / "ingest.json").write_text("{}")
    inner = tmp_path / "mine"
    inner.mkdir()
    for name, rows in {"a": 2, "b": 1}.items():
        (inner / f"{name}-i").write_bytes(idx(images((rows, 2, 2))))
        (inner / f"{name}-l").write_bytes(idx(LABELS[:rows]))
    found = IdxReader({"test": "b-i", "all": "a-i"}, {"all": "a-l", "test": "b-l"}, root=tmp_path)
    assert [(s.id, s.split) for s in found] == [("mine/b-i#0", "test"), ("mine/a-i#0", None), ("mine/a-i#1", None)]


@pytest.mark.parametrize(("there", "named"), [("", ".gz"), (".gz", "")])
def test_a_file_is_found_packed_or_unpacked_whichever_is_named(tmp_path: Path, there: str, named: str) -> None:
    pack = gzip.compress if there else bytes
    (tmp_path / f"i{there}").write_bytes(pack(idx(images((3, 2, 2)))))
    (tmp_path / f"l{there}").write_bytes(pack(idx(LABELS)))
    found = IdxReader({"train": f"i{named}"}, {"train": f"l{named}"}, root=tmp_path)
    assert [(s.id, s.label) for s in found] == [(f"i{there}#0", 3), (f"i{there}#1", 1), (f"i{there}#2", 2)]


def test_a_file_that_is_neither_packed_nor_unpacked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no i\.gz in "):
        list(IdxReader({"train": "i.gz"}, {"train": "l.gz"}, root=tmp_path))


GOOD = idx(images((3, 2, 2)))


@pytest.mark.parametrize(
    ("values", "targets", "words"),
    [
        (b"", idx(LABELS), "starts with nothing"),
        (b"\x89PNG....", idx(LABELS), "starts with 89 50 4e 47"),
        (b"\0\0\x07\x03" + GOOD[4:], idx(LABELS), "images is no IDX file"),
        (GOOD[:9], idx(LABELS), "ends in its header"),
        (GOOD[:-1], idx(LABELS), "images ends in entry 2, its header says 3"),
        (GOOD + b"x", idx(LABELS), "images is longer than its header says"),
        (GOOD, idx(LABELS) + b"x", "labels is longer than its header says"),
        (GOOD, idx(LABELS[:2]), "3 images, 2 labels"),
        (idx(images((3, 2))), idx(LABELS), "holds 2 dimensions"),
        (GOOD, idx(images((3, 1))), "labels does not hold one integer per image"),
        (GOOD, idx(LABELS.astype("f4")), "labels does not hold one integer per image"),
        (gzip.compress(GOOD, mtime=0)[:-9], idx(LABELS), "images is damaged"),
        (GOOD, gzip.compress(idx(LABELS), mtime=0)[:-9], "labels is damaged"),
        (b"\0\0\x08\x03" + b"\xff" * 12, idx(LABELS), "together"),
        (b"\0\0\x08\x03\0\0\0\x03" + b"\xff" * 8, idx(LABELS), "one image has 18,446,744,065,119,617,025 bytes"),
    ],
)
def test_damage(tmp_path: Path, values: bytes, targets: bytes, words: str) -> None:
    with pytest.raises(DataError) as caught:
        list(reader(tmp_path, values, targets))
    assert words in str(caught.value)


def test_bad_configs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must name the same splits"):
        IdxReader({"train": "a"}, {"test": "a"}, root=tmp_path)
    with pytest.raises(DataError, match="'trian' is no split"):
        IdxReader({"trian": "a"}, {"trian": "a"}, root=tmp_path)
    with pytest.raises(DataError, match="there is no a in"):
        list(IdxReader({"train": "a"}, {"train": "a"}, root=tmp_path))
    with pytest.raises(DataError, match="lies outside of"):
        list(IdxReader({"train": "../a"}, {"train": "a"}, root=tmp_path))
