"""What a package ships to read texts: cleaning, encoding, files, and equality with training."""

import io
import json
import random
import shutil
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from odd_texts import WORDS, odd_texts, plain_texts

from stagewise.data.features.text import TextFeature
from stagewise.runtime import text as runtime
from stagewise.runtime.text import Reader, TextError, clean, save_example

PLAIN: dict[str, Any] = {"normalization": "NFC", "lower": False, "strip_accents": False, "fold_digits": False}
ALGORITHMS = ("bpe", "wordpiece", "unigram", "word")


@cache
def fitted(**arguments: Any) -> TextFeature:
    """A feature trained on plain and odd texts."""
    feature = TextFeature(**{"vocabulary": 600, "max_length": 40, **arguments})
    rows = []
    for value in [*plain_texts(400), *odd_texts(600, seed=1)[9:]]:
        try:
            rows.append(feature.check(value))
        except ValueError:
            continue
    feature.fit([(rows, np.zeros(len(rows), np.int64))])
    return feature


@pytest.fixture(scope="module")
def entry() -> dict[str, Any]:
    return fitted(algorithm="word").describe().model_dump(mode="json")


@pytest.fixture(scope="module")
def reader(entry: dict[str, Any]) -> Reader:
    return Reader(entry)


@pytest.mark.parametrize(
    ("text", "changed", "expected"),
    [
        ("  a\t\r\n b\u2028c\u00a0 ", {}, "a b c"),
        ("fr\x00e\x07e\x7f", {}, "free"),
        ("it\x92s \x93so\x94 \x85 \x96 \x81!", {}, "it’s “so” … – !"),  # Windows-1252 read as Latin-1
        ("c\u00adr\u200be\u2060d\u200eit\ufeff", {}, "credit"),
        ("می\u200cخواهم 👩\u200d👧", {}, "می\u200cخواهم 👩\u200d👧"),
        ("\ud800a\udfff \ud83d\ude00 \ude00\ud83d", {}, "\ufffda\ufffd 😀 \ufffd\ufffd"),
        ("e\u0301 ﬁ Ａ", {}, "é ﬁ Ａ"),
        ("e\u0301 ﬁ Ａ ①", {"normalization": "NFKC"}, "é fi A 1"),
        ("İSTANBUL ΑΣ", {"lower": True}, "i\u0307stanbul ας"),
        ("Crème Brûlée Ørsted", {"strip_accents": True}, "Creme Brulee Ørsted"),
        ("call 08712 ٣٤ v2.0", {"fold_digits": True}, "call 00000 00 v0.0"),
    ],
)
def test_cleaning(text: str, changed: dict[str, Any], expected: str) -> None:
    assert clean(text, **{**PLAIN, **changed}) == expected


@pytest.mark.parametrize("normalization", ["NFC", "NFKC"])
@pytest.mark.parametrize("rest", [False, True])
def test_cleaning_again_changes_nothing(normalization: str, rest: bool) -> None:
    settings: dict[str, Any] = dict.fromkeys(("lower", "strip_accents", "fold_digits"), rest)
    settings["normalization"] = normalization
    singles = (chr(code) for code in (*range(0x3000), *range(0xA000, 0xAC00), *range(0xF900, 0x10000)))
    for text in [*odd_texts(3000, seed=2), *singles]:
        cleaned = clean(text, **settings)
        assert clean(cleaned, **settings) == cleaned
        cleaned.encode()
        assert unicodedata.is_normalized(normalization, cleaned)
        assert not any(sign.isspace() and sign != " " for sign in cleaned) and "  " not in cleaned


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_package_encodes_as_training_does(algorithm: str, tmp_path: Path) -> None:
    """10,000 strings in a process that has the shipped file alone, whatever their characters and their number."""
    feature = fitted(algorithm=algorithm)
    texts = [*plain_texts(2500, seed=3), *odd_texts(7500, seed=3)]
    shutil.copy(Path(runtime.__file__), tmp_path / "inputs.py")
    (tmp_path / "entry.json").write_text(feature.describe().model_dump_json())
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    code = (
        "import json, sys; sys.path.insert(0, '.'); import inputs\n"
        "reader = inputs.Reader(json.load(open('entry.json')))\n"
        "def ids(text):\n"
        "    try: return reader.encode(text).tolist()\n"
        "    except ValueError as error: return str(error)\n"
        "json.dump([ids(text) for text in json.load(open('texts.json'))], sys.stdout)\n"
        "assert not any(name.startswith('stagewise') for name in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shipped = json.loads(done.stdout)
    empty = 0
    for text, ids in zip(texts, shipped, strict=True):
        try:
            (row,) = feature.encode([feature.check(text)])
        except ValueError as error:
            assert ids == str(error) == "the text is empty"
            empty += 1
        else:
            assert ids == row.tolist() and 0 < len(ids) <= 40
            assert not {0, 2, 3}.intersection(ids)  # no text spells padding, mask or start
    assert len(shipped) == 10_000 and 0 < empty < 500


@pytest.mark.parametrize(
    "value", ["good film", b"good film", {"text": "good film", "label": 1}, b"\xef\xbb\xbfgood film"]
)
def test_what_python_users_have(reader: Reader, tmp_path: Path, value: Any) -> None:
    row = reader.encode("good film")
    assert row.dtype == np.int32 and len(row) == 2 and row.min() > 3
    assert reader.encode(value).tolist() == row.tolist()
    for ids in (row, row.tolist(), {"tokens": row.tolist()}, row.astype(np.uint16)):
        assert reader.encode(ids).tolist() == row.tolist()
    (tmp_path / "a.txt").write_text("good film\n")
    assert reader.encode(tmp_path / "a.txt").tolist() == row.tolist()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "the text is empty"),
        ("\x00\u200b \t", "the text is empty"),
        (b"caf\xe9", r"it is not UTF-8 \(byte 3\)"),
        (None, "a text is needed, not nothing"),
        (3, "a text is needed, not int"),
        ({"label": 1}, "a text is needed, not nothing"),
        ([], "token ids are 1 to 40 whole numbers"),
        ([4] * 41, "token ids are 1 to 40 whole numbers"),
        ([4.5], "token ids are 1 to 40 whole numbers"),
        (np.zeros((2, 2), np.int32), "token ids are 1 to 40 whole numbers"),
        ([4, -1], "a token id lies outside of 0 to"),
        ([4, 10**6], "a token id lies outside of 0 to"),
        (["good"], "token ids are 1 to 40 whole numbers"),
        ([[1], [1, 2]], "token ids are 1 to 40 whole numbers"),
    ],
)
def test_bad_values_say_why(reader: Reader, value: Any, words: str) -> None:
    with pytest.raises(TextError, match=words) as caught:
        reader.encode(value)
    assert caught.value.check == ("missing" if words == "the text is empty" else "readable")


def test_rows_are_cut_and_stacked(reader: Reader) -> None:
    long, short = reader.encode("good " * 50), reader.encode("bad film")
    assert len(long) == 40
    batch = reader.stack([long, short])
    assert batch.shape == (2, 40) and batch.dtype == np.int32
    assert batch[1].tolist() == [*short.tolist(), *[0] * 38]
    assert reader.stack([]).shape == (0, 0)


def pairs(reader: Reader, item: str) -> list[tuple[str, Any]]:
    return list(reader.read(item))


def test_arguments_of_the_command_line(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.txt").write_text("good\nfilm\n")
    Path("a b.txt").write_text("spaced name")
    Path("many.csv").write_text('\ufefflabel,text\n1,"good, film"\n0,bad\n', encoding="utf-8")
    Path("many.tsv").write_text("text\tlabel\ngood film\t1\n")
    Path("many.jsonl").write_text('"good"\n\n{"text": "bad", "label": 0}\n')
    assert pairs(reader, "one.txt") == [("one.txt", b"good\nfilm\n")]
    assert pairs(reader, "a b.txt") == [("a b.txt", b"spaced name")]
    assert pairs(reader, "many.csv") == [("many.csv:2", "good, film"), ("many.csv:3", "bad")]
    assert pairs(reader, "many.tsv") == [("many.tsv:2", "good film")]
    assert pairs(reader, "many.jsonl") == [("many.jsonl:1", "good"), ("many.jsonl:3", {"text": "bad", "label": 0})]
    assert pairs(reader, "a good  film") == [("a good film", "a good  film")]
    assert pairs(reader, "read me in notes.txt") == [("read me in notes.txt", "read me in notes.txt")]
    assert pairs(reader, "") == [("", "")]
    long = "word " * 2000 + ".txt"  # too long for a file name
    assert pairs(reader, long) == [("word " * 11 + "word…", long)]


def test_lines_of_standard_input(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("good film\n\n caf\xe9\n".encode())))
    named = pairs(reader, "-")
    assert named == [("-:1", b"good film\n"), ("-:3", " caf\xe9\n".encode())]
    assert reader.encode(named[0][1]).tolist() == reader.encode("good film").tolist()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.csv", b"label,body\n1,a\n", "its first line names no column text"),
        ("x.csv", b"", "its first line names no column text"),
        ("x.csv", b"text\ncaf\xe9\n", "'utf-8' codec can't decode"),
        ("x.jsonl", b'"b"\n{"text": "a"\n', "line 2: no JSON"),
        ("x.jsonl", b"[" * 100_000, "line 1: no JSON"),
        ("x.json", b"\xff", "no JSON"),
    ],
)
def test_bad_files_say_where(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(TextError) as caught:
        pairs(reader, name)
    assert str(caught.value).startswith(words)


def test_a_file_that_is_not_there_is_no_text(reader: Reader) -> None:
    with pytest.raises(FileNotFoundError):
        pairs(reader, "nowhere.txt")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_examples_give_their_rows_again(algorithm: str, tmp_path: Path) -> None:
    feature = fitted(algorithm=algorithm)
    entry = feature.describe().model_dump(mode="json")
    reader = Reader(entry)
    texts = ["don't see 'good film's' , can't !", "unplayable qqq £1000 ...", "good " * 60, *odd_texts(60, seed=5)[9:]]
    rows = [reader.encode(text) for text in texts if clean(text, **{**PLAIN, "lower": True})]
    draw = random.Random(0)
    rows += [np.array(draw.choices(range(entry["vocabulary"]), k=12), np.int32) for _ in range(20)]
    rows += [np.concatenate([rows[0], np.zeros(3, np.int32)]), np.zeros(4, np.int32)]
    names = []
    for number, row in enumerate(rows):
        names.append(save_example(row, entry, tmp_path / f"ham.{number}"))
        ((_, value),) = reader.read(str(tmp_path / names[-1]))
        assert reader.encode(value).tolist() == (np.trim_zeros(row, "b") if row.any() else row[:1]).tolist()
    assert names[0] == "ham.0.txt"
    assert names[-2:] == [f"ham.{len(rows) - 2}.txt", f"ham.{len(rows) - 1}.json"]
    endings = {name.rpartition(".")[2] for name in names}
    assert endings == {"txt", "json"}  # padding among the random ids can only be written as such


def test_texts_of_rows(reader: Reader) -> None:
    assert reader.text(reader.encode(" ".join(WORDS[:4]))) == " ".join(WORDS[:4])
    assert reader.tokens(reader.encode("good zzz")) == ["good", "[UNK]"]
    assert reader.text(reader.encode("good zzz")) == "good �"
    assert reader.text(np.array([*reader.encode("good film"), 0, 0])) == "good film"
