"""Tables whose rows are the inputs."""

import gzip
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from stagewise.data.readers.columns import ColumnsReader
from stagewise.data.sample import Sample
from stagewise.errors import ConfigError, DataError


def read(root: Path, text: str | bytes | None = None, name: str = "t.csv", **config: Any) -> list[Sample]:
    if text is not None:
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    reader = ColumnsReader(root=root, **config)
    samples = list(reader)
    assert samples == list(reader)
    return samples


def rows(samples: list[Sample]) -> list[tuple[Any, Any]]:
    return [(sample.value, sample.label) for sample in samples]


def test_values_are_text_as_published(tmp_path: Path) -> None:
    samples = read(tmp_path, 'a,label, b \n 1.50 ,x,"with, comma"\n,y,  \n')
    assert rows(samples) == [({"a": "1.50", "b": "with, comma"}, "x"), ({"a": None, "b": None}, "y")]
    assert [sample.id for sample in samples] == ["t.csv#2", "t.csv#3"]
    assert {sample.split for sample in samples} == {None}


@pytest.mark.parametrize(
    ("name", "text", "config"),
    [
        ("t.csv", "a;label\n1;x\n", {"delimiter": ";"}),
        ("t.tsv", "a\tlabel\n1\tx\n", {}),
        ("t.data", "  1   x\n", {"files": "t.data", "delimiter": "whitespace", "names": ["a", "label"]}),
        ("t.csv", "1,x\n", {"names": ["a", "label"]}),
        ("t.csv", "sep=,\nby hand\na,label\n1,x\n", {"skip": 2}),
        ("t.csv", "# a comment\na,label\n# and, another\n1,x\n", {"comment": "#"}),
        ("t.csv", "\ufeffa,label\r\n1,x\r\n\r\n,\r\n", {}),
        ("t.csv", "a,label\r1,x\r", {}),
        ("t.csv.gz", gzip.compress(b"a,label\n1,x\n", mtime=0), {}),
        ("t.csv", "a,label\n1,x\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_ways_of_writing_one_row(tmp_path: Path, name: str, text: str | bytes, config: dict[str, Any]) -> None:
    assert rows(read(tmp_path, text, name, **config)) == [({"a": "1"}, "x")]


def test_quotes(tmp_path: Path) -> None:
    text = 'a,label\n"two\nlines",x\n"say ""so""",y\n5" pipe,z\n'
    samples = read(tmp_path, text)
    assert [sample.value["a"] for sample in samples] == ["two\nlines", 'say "so"', '5" pipe']
    assert [sample.id for sample in samples] == ["t.csv#2", "t.csv#4", "t.csv#5"]
    assert rows(read(tmp_path, 'a,label\n"x,y\n', quote=None)) == [({"a": '"x'}, "y")]


def test_comments_are_not_sought_within_a_quoted_cell(tmp_path: Path) -> None:
    samples = read(tmp_path, 'a,label\n"one\n#two",x\n#three,y\n4,z\n', comment="#")
    assert rows(samples) == [({"a": "one\n#two"}, "x"), ({"a": "4"}, "z")]
    assert [sample.id for sample in samples] == ["t.csv#2", "t.csv#5"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["3", "-1", "0"], [3, -1, 0]),
        (["3", "", "0"], [3, None, 0]),
        (["3", "?", "0"], [3, None, 0]),
        (["3", "x", "0"], ["3", "x", "0"]),
        (["007", "1", "2"], ["007", "1", "2"]),
        (["1.5", "1", "2"], ["1.5", "1", "2"]),
    ],
)
def test_labels_are_integers_where_all_are(tmp_path: Path, labels: list[str], expected: list[Any]) -> None:
    text = "label,a\n" + "".join(f"{label},1\n" for label in labels)
    assert [sample.label for sample in read(tmp_path, text)] == expected


def test_integers_are_sought_in_all_files(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("a,label\n1,x\n")
    samples = read(tmp_path, "a,label\n1,2\n", files={"train": "t.csv", "test": "b.csv"})
    assert [(sample.label, sample.split) for sample in samples] == [("2", "train"), ("x", "test")]


def test_labels_are_cut_and_renamed(tmp_path: Path) -> None:
    samples = read(tmp_path, "a,label\n1,<=50K.\n1,>50K.\n1,?.\n", strip_label=".", rename_labels={">50K": "rich"})
    assert [sample.label for sample in samples] == ["<=50K", "rich", None]


def test_files_of_several_splits_and_columns_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("label,b,a\nq,2,1\n")
    (tmp_path / "c.csv").write_text("a,b,label\n5,6,r\n")
    samples = read(tmp_path, "a,b,label\n3,4,p\n", files={"training": "t.csv", "test": ["b.csv", "c.csv"]})
    assert [(s.id, s.split, s.value) for s in samples] == [
        ("t.csv#2", "train", {"a": "3", "b": "4"}),
        ("b.csv#2", "test", {"a": "1", "b": "2"}),
        ("c.csv#2", "test", {"a": "5", "b": "6"}),
    ]


def test_dropped_columns_and_a_column_of_splits(tmp_path: Path) -> None:
    text = "id,a,part,label\n1,x,train,p\n2,y,Dev,q\n3,z,,r\n"
    samples = read(tmp_path, text, drop=["id"], split_column="part")
    assert [(s.value, s.split) for s in samples] == [
        ({"a": "x"}, "train"),
        ({"a": "y"}, "validation"),
        ({"a": "z"}, None),
    ]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    columns = {
        "text": [" a ", "", None],
        "count": pa.array([1, None, 3], pa.int64()),
        "share": [0.5, float("nan"), 2.0],
        "flag": [True, False, None],
        "day": [date(2026, 1, 31), None, date(1969, 12, 31)],
        "time": [datetime(2026, 1, 31, 12, 30), None, None],
        "price": [Decimal("1.10"), None, None],
        "label": [0, 1, None],
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    samples = read(tmp_path)
    assert [(s.id, s.label) for s in samples] == [("t.parquet#1", 0), ("t.parquet#2", 1), ("t.parquet#3", None)]
    assert samples[0].value == {
        "text": "a", "count": 1, "share": 0.5, "flag": True, "day": "2026-01-31", "time": "2026-01-31T12:30:00",
        "price": "1.10",
    }  # fmt: skip
    assert set(samples[1].value.values()) == {None, False}
    assert samples[2].value["day"] == "1969-12-31"


def test_broken_rows_are_broken_samples(tmp_path: Path) -> None:
    text = b'a,label\n1,x\n1\n1,2,3\n"a"b,x\n\xff,x\n1\x00,x\n2,y\n"open,x\n3,z\n'
    samples = read(tmp_path, text)
    assert [(s.id, s.error) for s in samples if s.error] == [
        ("t.csv#3", "1 columns, 2 expected: 1"),
        ("t.csv#4", "3 columns, 2 expected: 1,2,3"),
        ("t.csv#5", "it is no row of a CSV file (',' expected after '\"')"),
        ("t.csv#6", "it holds bytes that are no utf-8 text"),
        ("t.csv#7", "it holds a NUL character"),
        ("t.csv#9", "it is no row of a CSV file (unexpected end of data)"),
    ]
    assert [s.label for s in samples if not s.error] == ["x", "y"]
    assert all(s.value is None for s in samples if s.error)


def test_a_quote_that_is_never_closed_costs_bounded_memory_and_few_rows(tmp_path: Path) -> None:
    text = 'a,label\n"open,x\n' + "1,y\n" * 200_000
    samples = list(ColumnsReader(root=tmp_path)) if (tmp_path / "t.csv").write_text(text) else []
    assert [s.error for s in samples if s.error] == [
        "it is no row of a CSV file (field larger than field limit (131072))"
    ]
    assert len(samples) > 150_000


def test_broken_values_of_parquet_are_broken_samples(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [1.0, float("inf")], "label": ["x", "y"]}), tmp_path / "t.parquet")
    assert [s.error for s in read(tmp_path)] == [None, "column 'a': it is infinite"]
    parquet.write_table(pa.table({"a": [[1], [2]], "label": ["x", "y"]}), tmp_path / "t.parquet")
    assert [s.error for s in read(tmp_path)] == ["column 'a': a list is no single value"] * 2


@pytest.mark.parametrize(
    ("text", "config", "words"),
    [
        ("a,lable\n1,x\n", {}, "t.csv has no column 'label'; did you mean 'lable'?"),
        ("a;label\n1;x\n", {}, "next:  correct the names in data.reader, and data.reader.delimiter"),
        ("a,label\n1,x\n", {"drop": ["b"]}, "t.csv has no column 'b'\n"),
        ("a,label\n1,x\n", {"split_column": "part"}, "t.csv has no column 'part'"),
        ("a,a,label\n1,2,x\n", {}, "t.csv has more than one column 'a'"),
        ("label\nx\n", {}, "t.csv has no column but the label"),
        ("", {}, "the columns of t.csv cannot be known\n"),
        ("", {}, "why:   it is empty"),
        ("\n\n", {}, "why:   it is empty"),
        (b"\xff\xfea\0,\0", {}, "why:   it holds a NUL character"),
        (b"\xe4,label\n1,x\n", {}, "why:   it holds bytes that are no utf-8 text"),
        ("a,label\n1,x\n", {"files": "none.csv"}, "there is no none.csv"),
        ("a,label\n1,x\n", {"files": "../../etc/passwd"}, "lies outside of"),
        ("a,label\n1,x\n", {"files": {"holdout": "t.csv"}}, "'holdout' is no split"),
        ("a,label,part\n1,x,holdout\n", {"split_column": "part"}, "'holdout' is no split\n  where: t.csv#2, column part"),
        ("a,label\n1,x\n", {"names": ["a", "a", "label"]}, "more than one column 'a'"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, text: str | bytes, config: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text, **config)
    assert words in str(caught.value)


def test_files_with_other_columns(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("a,c,label\n1,2,q\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path, "a,b,label\n3,4,p\n", files={"train": "t.csv", "test": "b.csv"})
    assert "b.csv has not the columns of the files before it" in str(caught.value)
    assert "it lacks 'b'" in str(caught.value) and "only it has 'c'" in str(caught.value)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv.gz"])
def test_damaged_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no such file at all")
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        read(tmp_path)
    (tmp_path / name).write_bytes(gzip.compress(b"a,label\n" + b"1,x\n" * 10_000)[:-20])
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"delimiter": "::"}, "data.reader.delimiter"),
        ({"delimiter": "\n"}, "data.reader.delimiter"),
        ({"quote": "''"}, "data.reader.quote"),
        ({"quote": ";", "delimiter": ";"}, "data.reader.quote"),
        ({"skip": -1}, "data.reader.skip"),
        ({"encoding": "utf-9"}, "data.reader.encoding"),
    ],
)
def test_impossible_arguments_name_their_key(tmp_path: Path, config: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ColumnsReader(root=tmp_path, **config)
    assert caught.value.where == where


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,label\n" + "1,x\n" * 100_000 + "1,2,3\n")
    samples = iter(ColumnsReader(root=tmp_path))
    assert next(samples).id == "t.csv#2"  # long before the broken row at the end
    assert Counter(sample.error is None for sample in samples) == {True: 99_999, False: 1}
