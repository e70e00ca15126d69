"""The feature of texts: what is stored, reported and drawn, and the whole of preprocess on texts."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_texts import odd_texts, plain_texts
from PIL import Image

from stagewise.config.schema.data import PreprocessSettings
from stagewise.data.features.text import TextFeature
from stagewise.data.features.text_entry import TextEntry
from stagewise.data.preprocess import preprocess
from stagewise.data.rows import StoredRows
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, read_schema
from stagewise.errors import ConfigError, DataError
from stagewise.runtime.text import Reader


def fitted(texts: list[str], **arguments: Any) -> tuple[TextFeature, list[np.ndarray[Any, Any]]]:
    feature = TextFeature(**arguments)
    rows = [feature.check(text) for text in texts]
    feature.fit([(rows[:3], np.zeros(len(rows[:3]), np.int64)), (rows[3:], np.ones(len(rows[3:]), np.int64))])
    return feature, rows


def test_what_is_spooled_is_the_cleaned_text() -> None:
    feature = TextFeature(lower=True, normalization="NFKC", strip_accents=True, fold_digits=True)
    row = feature.check("  CAFÉ\tﬁne\x00 ① 23 ")
    assert (feature.spooled.dtype, feature.spooled.shape, row.dtype) == (np.uint8, None, np.uint8)
    assert row.tobytes().decode() == "cafe fine 0 00"
    assert TextFeature(lower=False).check("CAFÉ").tobytes().decode() == "CAFÉ"


@pytest.mark.parametrize(
    ("value", "check", "message"),
    [
        ("", "missing", "the text is empty"),
        (" \x00\u200b\n", "missing", "the text is empty"),
        (3, "readable", "a text is needed, not int"),
        (b"text", "readable", "a text is needed, not bytes"),
        (None, "readable", "a text is needed, not NoneType"),
    ],
)
def test_what_is_no_text(value: Any, check: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        TextFeature().check(value)
    assert getattr(caught.value, "check", None) == check


@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece", "unigram", "word"])
def test_rows_are_those_of_the_packages_reader(algorithm: str) -> None:
    feature, rows = fitted(plain_texts(60), algorithm=algorithm, max_length=9, vocabulary=200)
    entry = feature.describe()
    reader = Reader(entry.model_dump(mode="json"))
    encoded = feature.encode(rows)
    assert (feature.stored.dtype, feature.stored.shape) == (np.int32, None)
    for text, row in zip(plain_texts(60), encoded, strict=True):
        assert row.dtype == np.int32 and row.tolist() == reader.encode(text).tolist()
        assert 0 < len(row) <= 9 and row.min() > 0 and row.max() < entry.vocabulary <= 200


def test_the_entry_holds_all_that_a_reader_needs() -> None:
    feature, _ = fitted(["good film", "bad film"] * 3, algorithm="word", max_length=7)
    entry = feature.describe()
    assert (entry.kind, entry.dtype, entry.shape, entry.storage) == ("text", "int32", (None,), "ragged")
    assert (entry.minimum, entry.maximum, entry.vocabulary, entry.max_length) == (0, 6, 7, 7)
    assert (entry.normalization, entry.lower, entry.strip_accents, entry.fold_digits) == ("NFC", True, False, False)
    assert TextEntry.model_validate_json(entry.model_dump_json()) == entry
    assert json.loads(entry.tokenizer)["model"]["vocab"].keys() >= {"good", "bad", "film", "[CLS]"}


def test_only_fitted_rows_shape_the_vocabulary() -> None:
    feature, _ = fitted(["good film"] * 4, algorithm="word")
    (row,) = feature.encode([feature.check("good plot")])
    assert row.tolist() == [5, 1]  # film, good: as frequent, in the order of letters


def test_the_report_counts_what_is_cut_and_unknown() -> None:
    feature, _ = fitted(["a b c d"] * 6, algorithm="word", max_length=3)
    texts = ["a", "a b", "a b c", "a b c d", "a b c d x y"]
    feature.encode([feature.check(text) for text in texts[:2]])
    feature.encode([feature.check(text) for text in texts[2:]])
    report = feature.report()
    warnings = report.pop("warnings")
    assert report == {
        "algorithm": "word",
        "vocabulary": 8,
        "rows": 5,
        "tokens_per_row": {"p50": 3, "p90": 6, "p99": 6, "longest": 6},
        "truncated": {"max_length": 3, "rows": 2, "share": 0.4},
        "unknown_share": 0.125,
    }
    assert warnings[0].startswith("40.0 % of the texts are longer than 3 tokens and are cut: data.feature.max_length=6")
    assert warnings[1].startswith("12.5 % of all tokens are unknown: raise data.feature.vocabulary")
    calm, rows = fitted(["a b c d"] * 6)
    calm.encode(rows)
    assert calm.report()["warnings"] == []


def test_near_duplicates_of_spooled_rows() -> None:
    feature = TextFeature(near_duplicates=0.7)
    texts = ["call 0871 2345 to claim your prize now", "good film", "CALL 0871 2399 to claim your prize, now!", "good"]
    rows = [feature.check(text) for text in texts]
    groups = feature.near_groups(iter([rows[:2], rows[2:]]))
    assert groups.dtype == np.int64 and groups.tolist() == [groups[0], groups[1], groups[0], groups[3]]
    assert len(set(groups.tolist())) == 3
    feature.fit([(rows, np.zeros(4, np.int64))])
    assert feature.report()["near_duplicates"] == {"threshold": 0.7, "groups": 1, "rows": 2}


def test_without_a_threshold_only_equal_texts_are_one_group() -> None:
    feature = TextFeature(near_duplicates=None)
    rows = [feature.check(text) for text in ("Good film", "good  film", "good film!", "bad")]
    assert feature.near_groups([rows]).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"algorithm": "char"}, "data.feature.algorithm"),
        ({"normalization": "NFD"}, "data.feature.normalization"),
        ({"vocabulary": 7}, "data.feature.vocabulary"),
        ({"vocabulary": 99.5}, "data.feature.vocabulary"),
        ({"max_length": 0}, "data.feature.max_length"),
        ({"minimum_frequency": 0}, "data.feature.minimum_frequency"),
        ({"near_duplicates": 0.4}, "data.feature.near_duplicates"),
        ({"near_duplicates": 1.1}, "data.feature.near_duplicates"),
    ],
)
def test_impossible_arguments_name_their_key(arguments: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TextFeature(**arguments)
    assert caught.value.where == where


@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece", "unigram", "word"])
def test_texts_in_which_nothing_repeats(algorithm: str) -> None:
    with pytest.raises(DataError, match="nothing in the training texts occurs 9 times") as caught:
        fitted(["good film", "bad plot"], algorithm=algorithm, minimum_frequency=9)
    assert caught.value.where == "data.feature.minimum_frequency"


def test_fit_comes_before_encode() -> None:
    feature = TextFeature()
    with pytest.raises(RuntimeError, match="call fit first"):
        feature.encode([feature.check("a")])


def preview(feature: TextFeature, folder: Path, classes: list[str] | None) -> bytes:
    target = ClassTarget(classes=classes or ["a", "b"], outputs=2)
    info = SplitInfo(file="train.arrow", rows=7, sha256="")
    schema = DataSchema(name="tiny", features=[feature.describe()], target=target, splits={"train": info})
    settings = PreprocessSettings.model_construct()
    feature.preview(settings, schema, folder, folder)
    return (folder / "texts.png").read_bytes()


def test_the_preview_shows_tokens_and_lengths(tmp_path: Path) -> None:
    texts = ["good film", "x" * 300, "日本 " * 40, "bad ж film", "so " * 200, *odd_texts(40, seed=9)[9:]]
    texts = [text for text in texts if text.strip()]
    feature, rows = fitted([text for text in texts if "\u200b" not in text], max_length=30)
    feature.encode(rows)
    first = preview(feature, tmp_path, ["neg", "pös"])
    assert preview(feature, tmp_path, ["neg", "pös"]) == first
    with Image.open(tmp_path / "texts.png") as sheet:
        pixels = np.asarray(sheet)
        assert sheet.width == 1180 and sheet.mode == "RGB"
    shown = {tuple(colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}
    tints = {(0xDC, 0xEB, 0xF7), (0xE4, 0xF1, 0xDF), (0xFB, 0xEE, 0xD3)}
    assert shown >= tints | {(0x2F, 0x6F, 0x9F), (0xD9, 0x82, 0x2B), (0xB3, 0x26, 0x1E)}  # bars, cut ones, unknown


def table(folder: Path) -> Path:
    """data/raw/ with copies of texts, of which some differ by a number."""
    folder.mkdir()
    lines = [f"{'spam' if number % 3 else 'ham'}\t{text}" for number, text in enumerate(plain_texts(240, seed=8))]
    lines += [f"spam\tYou have won a holiday for two, call 0871{number} now to claim it!" for number in range(20)]
    (folder / "texts.tsv").write_text("label\ttext\n" + "\n".join(lines) + "\nham\t\n", encoding="utf-8")
    return folder


def settings(**feature: Any) -> PreprocessSettings:
    return PreprocessSettings.model_validate(
        {
            "seed": 3,
            "threads": 1,
            "augment": {},
            "data": {
                "name": "tiny",
                "reader": {"_target_": "stagewise.data.readers.text_lines.TextTableReader", "quote": None},
                "feature": {"_target_": "stagewise.data.features.text.TextFeature", "vocabulary": 300, **feature},
                "classes": ["ham", "spam"],
                "checks": {"missing": "drop", "duplicates": "drop"},
            },
        }
    )


def run(folder: Path, raw: Path, **feature: Any) -> tuple[DataSchema, dict[str, Any], str]:
    """Schema, checks.json, and a digest of every byte that was written."""
    out, reports = folder / "out", folder / "reports"
    for path in (folder, out, reports):
        path.mkdir()
    preprocess(settings(**feature), raw, out, reports)
    files = sorted([*out.iterdir(), *reports.iterdir()])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    return read_schema(out), json.loads((reports / "checks.json").read_text()), digest


def test_preprocess_keeps_near_duplicates_in_one_split(tmp_path: Path) -> None:
    raw = table(tmp_path / "raw")
    schema, checks, digest = run(tmp_path / "one", raw, near_duplicates=0.7, max_length=20)
    assert run(tmp_path / "two", raw, near_duplicates=0.7, max_length=20)[2] == digest
    assert checks["rows"]["read"] == 261 and checks["checks"]["missing"]["count"] == 1
    assert checks["feature"]["near_duplicates"]["rows"] >= 20 and checks["feature"]["truncated"]["rows"] > 0
    reader = Reader(schema.feature.narrow(TextEntry).model_dump(mode="json"))
    holders = set()
    for split, info in schema.splits.items():
        rows = StoredRows(tmp_path / "one" / "out" / info.file, schema)
        for row in rows.take(np.arange(len(rows))):
            text = reader.text(row[row > 0])
            assert len(text) > 0
            holders |= {split} if "you have won" in text else set()
    assert holders == {"test"}
    assert {path.name for path in (tmp_path / "one" / "reports").iterdir()} == {"checks.json", "texts.png"}


def test_preprocess_without_near_duplicates(tmp_path: Path) -> None:
    _, checks, _ = run(tmp_path / "one", table(tmp_path / "raw"), near_duplicates=None)
    assert checks["checks"]["leakage"]["count"] == 0
