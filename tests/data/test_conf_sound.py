"""The configs of recordings: published splits, the template for own data, the augmentation that goes with them."""

import re
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from stagewise.config.schema.data import AugmentSection, DataSection, IngestSettings
from stagewise.config.targets import build
from stagewise.data.augment.pipeline import Augmentation
from stagewise.data.sources.ingest import ingest

CONF = Path(__file__).parents[2] / "conf"


def section(name: str) -> DataSection:
    return DataSection.model_validate(yaml.safe_load((CONF / "data" / f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def fsdd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/raw/ as ingest leaves it."""
    return tmp_path_factory.mktemp("fsdd")


def raw(fsdd: Path, mirror: Path) -> Path:
    out = fsdd / "raw"
    if not out.exists():
        out.mkdir()
        data = section("fsdd")
        ingest(IngestSettings(name=data.name, source=data.source), out, mirror=mirror, partial=fsdd / "partial")
    return out


def test_the_published_split(fsdd: Path, mirror: Path) -> None:
    data = section("fsdd")
    counts: Counter[tuple[str | None, str]] = Counter()
    for sample in build(data.reader, root=raw(fsdd, mirror)):
        assert sample.error is None
        counts[sample.split, sample.label] += 1
        assert (sample.split == "test") == (re.search(r"_[0-4]\.wav$", sample.id) is not None)
    assert counts == {(split, str(digit)): rows for split, rows in (("test", 30), (None, 270)) for digit in range(10)}


def test_the_split_by_speaker(fsdd: Path, mirror: Path) -> None:
    data = section("fsdd_speaker")
    assert data.source == section("fsdd").source and data.name == "fsdd"
    counts: Counter[tuple[str | None, str]] = Counter()
    for sample in build(data.reader, root=raw(fsdd, mirror)):
        counts[sample.split, sample.id.rpartition("/")[2].split("_")[1]] += 1
    trained = {(None, speaker): 500 for speaker in ("george", "jackson", "nicolas", "yweweler")}
    assert counts == {("test", "theo"): 500, ("validation", "lucas"): 500} | trained


def test_recordings_become_rows(fsdd: Path, mirror: Path) -> None:
    data = section("fsdd")
    feature = build(data.feature)
    samples = list(islice(build(data.reader, root=raw(fsdd, mirror)), 200))
    first = samples[0]
    assert first.id.endswith("recordings/0_george_0.wav") and first.value.samples.shape == (2384, 1)
    rows = np.stack([feature.check(sample.value) for sample in samples])
    assert rows.shape == (200, 8000) and rows.dtype == np.int16
    loudness = [np.sqrt(np.mean(np.square(np.trim_zeros(row).astype(float)))) / 32768 for row in rows]
    assert np.median(loudness) == pytest.approx(0.1, rel=0.05) and max(loudness) < 0.11
    assert feature.report()["rates"] == {"8000": 200}


def test_the_template_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = section("own_sounds")
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for name, rate in (("yes/1.wav", 44100), ("yes/2.flac", 16000), ("no/1.wav", 8000)):
        path = Path(str(data.source.path), name)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, generator.normal(0, 0.1, (rate // 2, 2)), rate)
    Path("data/raw").mkdir(parents=True)
    ingest(IngestSettings(name=data.name, source=data.source), Path("data/raw"), partial=Path("partial"))
    samples = list(build(data.reader, root=Path("data/raw")))
    assert [(sample.label, sample.split) for sample in samples] == [("no", None), ("yes", None), ("yes", None)]
    feature = build(data.feature)
    rows = np.stack([feature.check(sample.value) for sample in samples])
    assert rows.shape == (3, 16000)
    feature.fit([(rows, np.zeros(3))])
    assert feature.describe().log_mel().frames == 100


def test_the_augmentation_changes_recordings_and_their_spectrograms() -> None:
    values = AugmentSection.model_validate(
        yaml.safe_load((CONF / "augment" / "sound.yaml").read_text(encoding="utf-8"))
    )
    augmentation = Augmentation(values.transforms, seed=0)
    labels, index = torch.arange(6) % 3, torch.arange(6)
    for x, on_features in ((torch.rand(6, 8000) - 0.5, False), (torch.randn(6, 1, 40, 100), True)):
        result, y = augmentation(x, labels, index, 0, 3, on_features=on_features)
        assert result.shape == x.shape and not torch.equal(result, x) and torch.equal(y, labels)
    assert {type(t).takes for group in augmentation._groups for _, t in group} == {"sound", "spectrogram"}
