"""Texts in tables and line by line: every layout, and what is wrong with rows and files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from stagewise.data.readers.text_lines import TextLinesReader, TextTableReader
from stagewise.data.sample import Sample
from stagewise.errors import DataError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "ingest.json").write_text("{}")
    return folder


def read(raw: Path, content: str | bytes, name: str = "t.csv", **config: Any) -> list[Sample]:
    data = content.encode() if isinstance(content, str) else content
    (raw / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    reader = TextTableReader(**config, root=raw)
    samples = list(reader)
    assert samples == list(reader)
    return samples


def rows(samples: list[Sample]) -> list[tuple[Any, Any]]:
    assert all(sample.error is None for sample in samples)
    return [(sample.value, sample.label) for sample in samples]


@pytest.mark.parametrize(
    ("name", "content", "config"),
    [
        ("t.csv", 'label,text\nx,"a, ""b"""\n\n y ,c\n', {}),
        ("t.tsv", 'text\tlabel\na, "b"\tx\n  \nc\ty', {"quote": None}),
        ("t.csv.gz", 'label,text\r\nx,"a, ""b"""\r\n\r\ny,c\r\n', {}),
        ("t.txt", '1|x|a, "b"\n2|y|c\n', {"file": "t.txt", "delimiter": "|", "header": False, "text": 3, "label": 2, "quote": None}),
        ("t.csv", "\ufefftext,label\n'a, \"b\"',x\nc,y\n", {"quote": "'"}),
        ("t.jsonl", '{"text": "a, \\"b\\"", "label": "x"}\n\n{"label": "y", "text": "c", "more": [1]}\n', {}),
        ("t.ndjson.gz", '{"body": "a, \\"b\\"", "kind": "x"}\n{"kind": "y", "body": "c"}', {"text": "body", "label": "kind"}),
    ],
)  # fmt: skip
def test_layouts(raw: Path, name: str, content: str, config: dict[str, Any]) -> None:
    assert rows(read(raw, content, name, **config)) == [('a, "b"', "x"), ("c", "y")]


def test_a_text_may_span_lines_and_hold_anything(raw: Path) -> None:
    long = "y" * 200_000
    samples = read(raw, f'text,label\n"a\nb\n\nc",x\n"{long}",x\n"\x00\x85\u2028",x\n'.encode())
    assert [(sample.id, sample.value) for sample in samples] == [
        ("t.csv#2", "a\nb\n\nc"),
        ("t.csv#6", long),
        ("t.csv#7", "\x00\x85\u2028"),
    ]


def test_without_quotes_every_line_is_a_row(raw: Path) -> None:
    content = 'ham\tHe said:"if it is\nspam\t"WIN"" now\x85\u2028!\r\nham\ta\rb\n'
    config = {"file": "SMS", "header": False, "delimiter": "\t", "quote": None, "label": 1, "text": 2}
    samples = read(raw, content, "SMS", **config)
    assert rows(samples) == [('He said:"if it is', "ham"), ('"WIN"" now\x85\u2028!', "spam"), ("a\rb", "ham")]
    assert [sample.id for sample in samples] == ["SMS#1", "SMS#2", "SMS#3"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["3", "-1", "0"], [3, -1, 0]),
        (["3", "", "0"], [3, None, 0]),
        (["3", "x", "0"], ["3", "x", "0"]),
        (["007", "1", "2"], ["007", "1", "2"]),
        (["4.5", "1", "2"], ["4.5", "1", "2"]),
    ],
)
def test_labels_are_integers_where_all_are(raw: Path, labels: list[str], expected: list[Any]) -> None:
    samples = read(raw, "text,label\n" + "".join(f"t,{label}\n" for label in labels))
    assert [sample.label for sample in samples] == expected


def test_labels_of_json_keep_their_type(raw: Path) -> None:
    labels = ["x", 3, 2.5, True, False, None]
    samples = read(raw, "\n".join(json.dumps({"text": "t", "label": label}) for label in labels), "t.jsonl")
    assert [sample.label for sample in samples] == ["x", 3, 2.5, "true", "false", None]


def test_published_splits(raw: Path) -> None:
    samples = read(raw, "text,label,part\na,x,train\nb,x, Dev \nc,x,test\nd,x,\n", split_column="part")
    assert [sample.split for sample in samples] == ["train", "validation", "test", None]
    (raw / "u.jsonl").write_text('{"text": "e", "label": "x", "part": "test"}\n{"text": "f", "label": "x"}\n')
    reader = TextTableReader(file={"train": "t.csv", "val": "u.jsonl"}, split_column="part", root=raw)
    assert [sample.split for sample in reader] == ["train", "validation", "test", "train", "test", "validation"]


def test_integers_are_judged_over_all_files(raw: Path) -> None:
    for name, label in (("a.csv", "1"), ("b.csv", "one")):
        (raw / name).write_text(f"text,label\nt,{label}\n")
    samples = list(TextTableReader(file={"train": "a.csv", "test": "b.csv"}, root=raw))
    assert [(sample.label, sample.split) for sample in samples] == [("1", "train"), ("one", "test")]


@pytest.mark.parametrize(
    ("name", "content", "config", "errors"),
    [
        (
            "t.csv",
            b'text,label\na,x\nb\nc,x,z\n"d"e,x\ncaf\xe9,x\n"f\ng"h,x\n,\ni,x\n',
            {},
            [
                None,
                "it has 1 columns, 2 expected",
                "it has 3 columns, 2 expected",
                "',' expected after '\"'",
                "the byte 0xe9 is not utf-8",
                "lines 7 to 8: ',' expected after '\"'",
                None,
                None,
            ],
        ),
        ("t.tsv", b"\xff\tx\na\tx\nb\n", {"header": False, "text": 1, "label": 2, "quote": None}, [
            "the byte 0xff is not utf-8", None, "it has 1 columns, 2 expected",
        ]),
        ("t.csv", b"text,label\n\x81,x\n\x80,x\n", {"encoding": "cp1252"}, ["the byte 0x81 is not cp1252", None]),
        (
            "t.jsonl",
            b'{"text": "a", "label": 1}\n{"text": "a"\n["a", 1]\n{"text": "a"}\n{"text": 3, "label": 1}\n'
            b'{"text": "a", "label": [1]}\n{"text": "\xff", "label": 1}\n{"text": null, "label": 1}\n7\n',
            {},
            [
                None,
                "it is no JSON (Expecting ',' delimiter: line 2 column 1 (char 13))",
                "it is a list, not an object with keys",
                "it has no key label",
                "its text is a number",
                "its label is a list",
                "the byte 0xff is not utf-8",
                None,
                "it is a number, not an object with keys",
            ],
        ),
    ],
)  # fmt: skip
def test_bad_rows_are_samples_with_an_error(
    raw: Path, name: str, content: bytes, config: dict[str, Any], errors: list[str | None]
) -> None:
    samples = read(raw, content, name, **config)
    assert [sample.error for sample in samples] == errors
    assert all(sample.value is None and sample.label is None for sample in samples if sample.error)


def test_deep_json_is_a_bad_row(raw: Path) -> None:
    (sample,) = read(raw, "[" * 100_000, "t.jsonl")
    assert str(sample.error).startswith("it is no JSON (")


@pytest.mark.parametrize(
    ("content", "config", "message"),
    [
        ("", {}, "t.csv is empty\n  where: {raw}/t.csv"),
        (
            "body,label\na,x\n",
            {},
            "t.csv has no column text\n  where: {raw}/t.csv\n  - column 1 is 'body'\n  - column 2 is 'label'\n"
            "  next:  set data.reader.text to a name or a number of these",
        ),
        ("text,text,label\na,b,x\n", {}, "t.csv has more than one column text\n"),
        ("a,x\n", {"header": False}, "data.reader.header is false: columns have numbers, counted from 1"),
        ("a,x\n", {"header": False, "text": 1, "label": 3}, "t.csv has no column 3\n"),
        ("text,label\na,x\n", {"split_column": "part"}, "next:  set data.reader.split_column to"),
        (
            "text,label,part\na,x,holdout\n",
            {"split_column": "part"},
            "'holdout' is no split\n  where: t.csv#2, column part\n"
            "  next:  write train, validation or test, or leave data.reader.split_column out",
        ),
        (
            'text,label\na,x\n"b,x\nc,x\n',
            {},
            'a " in t.csv is never closed\n  where: {raw}/t.csv, line 3\n  why:   all that follows would be one text\n'
            "  next:  close it, or set data.reader.quote=null if it is a plain sign in this file",
        ),
        (b'"te"xt,label\na,x\n', {}, "the first line of t.csv cannot be read"),
        (b"te\xffxt,label\na,x\n", {}, "why:   the byte 0xff is not utf-8"),
        ("text,label\n", {"file": "none.csv"}, "there is no none.csv"),
        ("text,label\n", {"file": "../../x.csv"}, "lies outside of raw"),
        ("text,label\n", {"file": {"holdout": "t.csv"}}, "'holdout' is no split"),
        ("text,label\n", {"text": 0}, "there is no column 0\n  where: data.reader.text\n  next:  count from 1"),
        ("text,label\n", {"delimiter": ",,"}, "',,' is not one sign\n  where: data.reader.delimiter"),
        ("text,label\n", {"quote": ""}, "'' is not one sign\n  where: data.reader.quote"),
        ("text,label\n", {"delimiter": '"'}, "'\"' cannot both separate and wrap fields"),
        ("text,label\n", {"encoding": "utf-9"}, "there is no encoding 'utf-9'\n  where: data.reader.encoding"),
        ("text,label\n", {"encoding": "hex"}, "there is no encoding 'hex'"),
        (b"\xff\xfet\x00e", {"encoding": "utf-16"}, "t.csv cannot be read"),
    ],
)
def test_mistakes(raw: Path, content: str | bytes, config: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(raw, content, **config)
    assert message.format(raw=raw) in str(caught.value)


def test_files_of_other_encodings(raw: Path) -> None:
    assert rows(read(raw, "text,label\ncafé – ok,x\n".encode("cp1252"), encoding="cp1252")) == [("café – ok", "x")]
    assert rows(read(raw, "text,label\ncafé,x\n".encode("utf-16"), encoding="utf-16")) == [("café", "x")]


def test_files_that_are_none(raw: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file ending in \.tsv or \.tsv\.gz"):
        list(TextTableReader(root=raw))
    (raw / "t.txt").write_text("a")
    with pytest.raises(DataError, match=r"what separates the columns of t\.txt is not known"):
        list(TextTableReader("t.txt", root=raw))
    (raw / "t.csv.gz").write_bytes(gzip.compress(b"text,label\n" + b"a,x\n" * 9999)[:60])
    with pytest.raises(DataError, match=r"t\.csv\.gz cannot be read"):
        list(TextTableReader(root=raw))


def test_one_file_per_class(raw: Path) -> None:
    (raw / "top").mkdir()
    (raw / "top" / "a.neg").write_bytes(b"\xef\xbb\xbfbad film \n\n \xc2\x85\nso \x85 so\r\n")
    (raw / "top" / "a.pos.gz").write_bytes(gzip.compress("très bien".encode()))
    samples = list(TextLinesReader({"neg": "a.neg", "pos": "a.pos.gz"}, root=raw))
    assert [(sample.id, sample.value, sample.label, sample.error) for sample in samples] == [
        ("top/a.neg#1", "bad film", "neg", None),
        ("top/a.neg#4", None, "neg", "the byte 0x85 is not utf-8"),
        ("top/a.pos.gz#1", "très bien", "pos", None),
    ]


def test_files_per_split_and_class(raw: Path) -> None:
    for name in ("1", "2", "3"):
        (raw / name).write_text(f"text {name}\n")
    files = {"train": {"neg": "1", "pos": "2"}, "testing": {"neg": "3"}}
    samples = list(TextLinesReader(files, root=raw))
    assert [(sample.split, sample.label, sample.value) for sample in samples] == [
        ("train", "neg", "text 1"),
        ("train", "pos", "text 2"),
        ("test", "neg", "text 3"),
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no file is named"),
        ({"neg": "1", "train": {"pos": "2"}}, "the files of some classes lie in splits, of others not"),
        ({"neg": {"a": "1"}}, "'neg' is no split"),
        ({"neg": "none"}, "there is no none"),
    ],
)
def test_mistakes_in_files_per_class(raw: Path, files: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(TextLinesReader(files, root=raw))
