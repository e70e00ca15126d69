"""Every file of conf/data/ is a valid data section whose reader and feature can be built."""

import gzip
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from stagewise.config.schema.data import DataSection, IngestSettings
from stagewise.config.targets import build
from stagewise.data.sources.ingest import ingest

FOLDER = Path(__file__).parents[2] / "conf" / "data"
IMAGES = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
FILES = sorted(FOLDER.rglob("*.yaml"))


def section(file: Path) -> DataSection:
    return DataSection.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_the_datasets_and_templates_are_there() -> None:
    own = {f"own_{kind}" for kind in ("folder", "archive", "idx", "npz", "table")}
    assert {file.stem for file in FILES} >= {"digits", "mnist", "fashion_mnist"} | own


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_data_file(file: Path, tmp_path: Path) -> None:
    data = section(file)
    # Two ways to cut the same files share their name, and so the place where they are looked for.
    assert file.stem == data.name or file.stem.startswith(f"{data.name}_")
    assert all(entry.sha256 and entry.bytes for entry in data.source.files)
    assert len(data.source.files) > 0 or (data.source.path or "").startswith("data/own/")
    build(data.reader, root=tmp_path)
    feature = build(data.feature)
    if feature.kind == "series":  # it is not divided row by row
        return
    assert feature.spooled.dtype in {np.dtype(name) for name in ("uint8", "int16", "float32", "float64")}
    if feature.kind == "image":
        height, width, channels = feature.stored.shape
        assert height == width and channels in {1, 3}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_head_says_how_to_use_it(file: Path) -> None:
    head = re.match(r"(#.*\n)+", file.read_text(encoding="utf-8"))
    words = rf"dvc exp run (-S experiment=\w+ )?-S '?data=({{use:)?{file.stem}\b|dvc exp run -S experiment={file.stem}"
    assert head and re.search(words, head[0]) and "make repro" in head[0]


def test_digits_need_no_network(tmp_path: Path) -> None:
    data = section(FOLDER / "digits.yaml")
    out = tmp_path / "raw"
    out.mkdir()
    ingest(IngestSettings(name=data.name, source=data.source), out, partial=tmp_path / "partial")
    samples = list(build(data.reader, root=out))
    assert len(samples) == 1797
    assert {sample.label for sample in samples} == set(range(10))
    assert {sample.split for sample in samples} == {None}
    first = samples[0].value
    assert first.shape == (8, 8) and first.dtype == "uint8" and first[0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_published_data(name: str, mirror: Path, tmp_path: Path) -> None:
    data = section(FOLDER / f"{name}.yaml")
    out = tmp_path / "raw"
    out.mkdir()
    ingest(IngestSettings(name=data.name, source=data.source), out, mirror=mirror, partial=tmp_path / "partial")
    counts: dict[tuple[str | None, str | int | None], int] = {}
    for sample in build(data.reader, root=out):
        counts[sample.split, sample.label] = counts.get((sample.split, sample.label), 0) + 1
    assert sum(counts.values()) == 70_000
    assert sum(count for (split, _), count in counts.items() if split == "test") == 10_000
    assert {label for _, label in counts} == set(range(10)) and len(data.classes or []) == 10
    if name == "mnist":
        assert [counts["train", label] for label in range(3)] == [5923, 6742, 5958]
    else:
        assert counts["train", 9] == 6000


def lay_folder(path: Path) -> None:
    for name in ("rose/1.png", "rose/2.jpg", "tulip/3.png"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[0]).save(path / name)


def lay_archive(path: Path) -> None:
    lay_folder(path.parent / "plain")
    shutil.make_archive(str(path.with_suffix("")), "zip", path.parent / "plain")


def lay_idx(path: Path) -> None:
    path.mkdir(parents=True)
    for name in ("train", "t10k"):
        with gzip.open(path / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(b"\0\0\x08\x03" + struct.pack(">3I", *IMAGES.shape) + IMAGES.tobytes())
        with gzip.open(path / f"{name}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(b"\0\0\x08\x01" + struct.pack(">I", len(IMAGES)) + bytes(len(IMAGES)))


def lay_npz(path: Path) -> None:
    path.parent.mkdir(parents=True)
    np.savez(path, images=IMAGES, labels=np.zeros(len(IMAGES), np.int64))


def lay_table(path: Path) -> None:
    lay_folder(path / "images")
    (path / "labels.csv").write_text("path,label\nimages/rose/1.png,rose\nimages/tulip/3.png,tulip\n")


OWN = {
    "folder": (lay_folder, ["rose", "rose", "tulip"], [None] * 3),
    "archive": (lay_archive, ["rose", "rose", "tulip"], [None] * 3),
    "idx": (lay_idx, [0, 0, 0, 0], ["train", "train", "test", "test"]),
    "npz": (lay_npz, [0, 0], [None] * 2),
    "table": (lay_table, ["rose", "tulip"], [None] * 2),
}


@pytest.mark.parametrize("kind", OWN)
def test_a_template_works_as_it_stands(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay, labels, splits = OWN[kind]
    data = section(FOLDER / f"own_{kind}.yaml")
    monkeypatch.chdir(tmp_path)
    lay(Path(str(data.source.path)))
    Path("data/raw").mkdir(parents=True)
    ingest(IngestSettings(name=data.name, source=data.source), Path("data/raw"), partial=Path("partial"))
    samples = list(build(data.reader, root=Path("data/raw")))
    assert [sample.label for sample in samples] == labels
    assert [sample.split for sample in samples] == splits
    feature = build(data.feature)
    assert {feature.check(sample.value).shape for sample in samples} == {feature.spooled.shape}
