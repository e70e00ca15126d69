"""The configs of texts: published data as it is described, and templates that work as they stand."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from stagewise.config.schema.data import DataSection, IngestSettings
from stagewise.config.targets import build
from stagewise.data.sources.ingest import ingest

CONF = Path(__file__).parents[2] / "conf" / "data"


def section(name: str) -> DataSection:
    return DataSection.model_validate(yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8")))


def bring(data: DataSection, out: Path, partial: Path, mirror: Path | None = None) -> None:
    out.mkdir(parents=True)
    ingest(IngestSettings(name=data.name, source=data.source), out, mirror=mirror, partial=partial)


@pytest.mark.parametrize(
    ("name", "counts", "first", "last"),
    [
        ("sms_spam", {"ham": 4827, "spam": 747}, "Go until jurong point", "Rofl. Its true to its name"),
        ("sentence_polarity", {"neg": 5331, "pos": 5331}, "simplistic , silly", "enigma is well-made , but"),
    ],
)
def test_published_data(name: str, counts: dict[str, int], first: str, last: str, mirror: Path, tmp_path: Path) -> None:
    data = section(name)
    bring(data, tmp_path / "raw", tmp_path / "partial", mirror)
    samples = list(build(data.reader, root=tmp_path / "raw"))
    assert Counter(sample.label for sample in samples) == counts and data.classes == list(counts)
    assert all(sample.error is None and sample.split is None for sample in samples)
    assert samples[0].value.startswith(first) and len({sample.id for sample in samples}) == len(samples)
    if name == "sms_spam":
        assert samples[-1].value.startswith(last)
    feature = build(data.feature)
    assert all(len(feature.check(sample.value)) > 0 for sample in samples)


def test_own_texts_in_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = section("own_text")
    path = Path(str(data.source.path))
    path.parent.mkdir(parents=True)
    path.write_text('text,label\n"Good, really",good\nBad,bad\n')
    bring(data, Path("data/raw"), Path("partial"))
    samples = list(build(data.reader, root=Path("data/raw")))
    assert [(sample.value, sample.label) for sample in samples] == [("Good, really", "good"), ("Bad", "bad")]
    assert build(data.feature).check(samples[0].value).tobytes() == b"good, really"


def test_own_texts_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = section("own_text_files")
    for label in ("good", "bad"):
        folder = Path(str(data.source.path), label)
        folder.mkdir(parents=True)
        (folder / "1.txt").write_text(f"{label} film")
    bring(data, Path("data/raw"), Path("partial"))
    samples = list(build(data.reader, root=Path("data/raw")))
    assert [(sample.value, sample.label) for sample in samples] == [("bad film", "bad"), ("good film", "good")]
    assert build(data.feature).kind == "text"
