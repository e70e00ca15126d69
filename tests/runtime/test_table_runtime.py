"""Rows to vectors, as a package does it."""

import datetime
import decimal
import gzip
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stagewise.runtime import table
from stagewise.runtime.table import Reader, RowError, clean, save_example, to_moment, to_number, to_texts


def column(name: str, kind: str, categories: list[str] | None = None, **more: Any) -> dict[str, Any]:
    missing_code = more.pop("missing_code", None)
    codes = 1 + len(categories) + (missing_code is not None) if categories else 0
    entry = {"name": name, "source": name, "type": kind, "part": None, "categories": categories or []}
    return entry | {"missing_code": missing_code, "codes": codes} | more


ENTRY = {
    "columns": [
        column("age", "number"),
        column("when", "date"),
        column("city", "category", ["Bonn", "Oslo"], missing_code=3),
        column("flag", "category", ["true"]),
        column("when.month", "category", ["1", "2"], source="when", part="month"),
        column("when.hour", "category", ["0", "13"], source="when", part="hour"),
    ],
    "dropped": {"weight": "dropped in the config"},
    "na": ["?", "none"],
}
ROW = {"age": 39, "when": "2026-01-31", "city": "Oslo", "flag": True}
DAYS = (datetime.date(2026, 1, 31) - datetime.date(1970, 1, 1)).days


def encode(**changes: Any) -> list[float]:
    return Reader(ENTRY).encode(ROW | changes).tolist()


def test_a_row() -> None:
    vector = Reader(ENTRY).encode(ROW)
    assert vector.dtype == np.float32 and vector.tolist() == [39, DAYS, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12", 12), (" -1.5e3 ", -1500), (".5", 0.5), ("5.", 5), ("+7", 7), (True, 1), (3, 3), (2.5, 2.5),
        (np.float32(0.25), 0.25), (np.int8(4), 4), (decimal.Decimal("1.5"), 1.5),
        (None, None), ("", None), ("  ", None), ("?", None), ("none", None), (math.nan, None), (np.nan, None),
    ],
)  # fmt: skip
def test_numbers(value: Any, expected: float | None) -> None:
    (number, *_) = encode(age=value)
    assert math.isnan(number) if expected is None else number == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1,000", "'1,000' is no number"),
        ("1_000", "'1_000' is no number"),
        ("nan", "'nan' is no number"),
        ("inf", "'inf' is no number"),
        ("0x10", "'0x10' is no number"),
        ("٣", "'٣' is no number"),
        ("1e39", "'1e39' is beyond the range of float32"),
        (10**400, "is beyond the range of float32"),
        (math.inf, "it is infinite"),
        ([1], "a list is no single value"),
        ({}, "a dict is no single value"),
        ("x" * 99, "x... is no number"),
    ],
)
def test_what_is_no_number(value: Any, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        encode(age=value)
    assert str(caught.value).startswith("column 'age': ") and reason in str(caught.value)
    assert caught.value.check == "readable"


@pytest.mark.parametrize(
    ("value", "days", "month", "hour"),
    [
        ("2026-01-31", DAYS, 1, 1),
        ("2026-01-31T13:59:59.999999", DAYS, 1, 2),
        ("2026-02-01 00:30", DAYS + 1, 2, 1),
        ("2026-02-01T00:30:00+01:00", DAYS, 1, 0),
        ("2026-01-31T13:00Z", DAYS, 1, 2),
        ("1970-01-01", 0, 1, 1),
        ("0001-01-01", -719162, 1, 1),
        ("9999-12-31", 2932896, 0, 1),
        (datetime.date(2026, 1, 31), DAYS, 1, 1),
        (datetime.datetime(2026, 1, 31, 13), DAYS, 1, 2),
    ],
)
def test_dates(value: Any, days: int, month: int, hour: int) -> None:
    _, *found = encode(when=value)
    assert [found[0], *found[3:]] == [days, month, hour]


@pytest.mark.parametrize("value", ["31.01.2026", "2026-13-01", "2026-02-30", "20260131", "2026-1-1", "now", 20260131])
def test_what_is_no_date(value: Any) -> None:
    with pytest.raises(RowError, match=r"column 'when': .* is no date"):
        encode(when=value)


@pytest.mark.parametrize(
    ("value", "code"),
    [(" Bonn ", 1), ("Oslo", 2), (np.str_("Oslo"), 2), (None, 3), ("?", 3), (math.nan, 3), ("bonn", 0), (7, 0)],
)
def test_categories(value: Any, code: int) -> None:
    assert encode(city=value)[2] == code


@pytest.mark.parametrize("value", [True, "true", np.bool_(True)])
def test_booleans_are_categories(value: Any) -> None:
    assert encode(flag=value)[3] == 1


def test_a_missing_value_without_a_code_of_its_own_is_unknown() -> None:
    reader = Reader(ENTRY)
    assert reader.encode(ROW | {"flag": None})[3] == 0
    assert reader.unseen == []


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("1.0", ("1.0",)),
        (1, ("1", "1.0")),
        (1.0, ("1", "1.0")),
        (0.5, ("0.5",)),
        (False, ("false", "False", "FALSE", "0")),
    ],
)
def test_the_ways_of_writing_a_category(value: Any, texts: tuple[str, ...]) -> None:
    assert to_texts(value) == texts


def test_categories_never_seen_are_remembered() -> None:
    reader = Reader(ENTRY)
    for city in ("Rome", "Oslo", "Rome", "Lima"):
        reader.encode(ROW | {"city": city})
    reader.encode(ROW | {"when": "2026-07-01"})
    assert reader.unseen == ["city: Rome", "city: Lima", "when.month: 7"]


def test_memory_of_unseen_categories_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_UNSEEN", 3)
    reader = Reader(ENTRY)
    for number in range(10):
        reader.encode(ROW | {"city": f"town {number}"})
    assert len(reader.unseen) == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"Age": 1, "when": None, "city": None, "flag": None}, "there is no column 'age'; is 'Age' meant for it?"),
        ({"when": None, "city": None, "flag": None}, "there is no column 'age'; a value that is not known is given as null"),
        (ROW | {"citty": 1}, "unknown column 'citty'; the nearest is 'city'"),
        (ROW | {"xyz": 1}, "unknown column 'xyz'; there are age, when, city, flag"),
        ([1, 2], "a row is a mapping of column to value, not list"),
        (5, "a row is a mapping of column to value, not int"),
        ('{"age": 1', "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ('["secret.json"]', "a row is a mapping of column to value, not str"),
        ("[]", "0 rows, where one is expected"),
        (np.zeros(5, np.float32), "an encoded row is float32 of shape (6,), not float32 (5,)"),
        (np.array([0, 0, 9, 0, 0, 0], np.float32), "column 'city': 9 is no code below 4"),
        (np.array([0, 0, 0.5, 0, 0, 0], np.float32), "column 'city': 0.5 is no code below 4"),
        (np.array([np.inf, 0, 0, 0, 0, 0], np.float32), "column 'age': inf is no number"),
    ],
)  # fmt: skip
def test_rows_that_are_none(row: Any, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        Reader(ENTRY).encode(row)
    assert str(caught.value).startswith(reason)


def test_dropped_columns_may_come_or_not() -> None:
    assert encode(weight=5) == encode()


def test_json_bytes_files_and_vectors_are_rows_too(tmp_path: Path) -> None:
    reader, text = Reader(ENTRY), json.dumps(ROW)
    (tmp_path / "row.json").write_text(text)
    vector = reader.encode(ROW)
    for value in (text, text.encode(), f"[{text}]", tmp_path / "row.json", str(tmp_path / "row.json"), vector):
        assert reader.encode(value).tobytes() == vector.tobytes()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_csv(tmp_path: Path, delimiter: str, ending: str) -> None:
    path, reader = tmp_path / "t.csv", Reader(ENTRY)
    lines = [
        "\ufefflabel,when, age,city,flag",
        'x,2026-01-31, 39,"Oslo",true',
        "",
        "y,?,?,?,?",
        '"z',
        'z",1',
        "z,1,2,3,4,5",
    ]
    path.write_text(ending.join(lines).replace(",", delimiter), encoding="utf-8", newline="")
    found = list(reader.read(str(path)))
    assert [name for name, _ in found] == [f"{path}#{line}" for line in (2, 4, 5, 7)]
    assert reader.encode(found[0][1]).tolist() == encode()
    assert np.isnan(reader.encode(found[1][1])[:2]).all()
    for (_, row), count in zip(found[2:], (2, 6), strict=True):
        with pytest.raises(RowError, match=f"{count} columns, 5 expected"):
            reader.encode(row)


def test_files_of_json(tmp_path: Path) -> None:
    reader, text = Reader(ENTRY), json.dumps(ROW | {"label": 1})
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(f"{text}\n\n{{broken\n{text}\n".encode(), mtime=0))
    (tmp_path / "t.json").write_text(f"[{text}, {text}]")
    found = list(reader.read(str(tmp_path / "t.jsonl.gz")))
    assert [name.rpartition("#")[2] for name, _ in found] == ["1", "3", "4"]
    assert reader.encode(found[2][1]).tolist() == encode()
    with pytest.raises(RowError, match="it is no JSON"):
        reader.encode(found[1][1])
    assert [reader.encode(row).tolist() for _, row in reader.read(str(tmp_path / "t.json"))] == [encode()] * 2
    assert [name for name, _ in reader.read(f"[{text}]")] == ["row#1"]
    assert list(reader.read(json.dumps(ROW))) == [("row", ROW)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", b"a,b\n1,2\n", "its first line names none of the columns age, when, city, flag"),
        ("t.csv", b"", "its first line names none of the columns age, when, city, flag"),
        ("t.csv", b"age,age\n1,2\n", "more than one column is named age"),
        ("t.csv", b'age,city\n"open', "it cannot be read (unexpected end of data)"),
        ("t.csv", b"age,city\n\xff,1\n", "it cannot be read ('utf-8' codec"),
        ("t.json", b"nothing", "it is no JSON"),
        ("t.csv.gz", b"no gzip", "it cannot be read (Not a gzipped file"),
        ("t.parquet", b"", "neither a row in JSON nor a file ending in .csv, .tsv, .txt, .jsonl, .ndjson, .json"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as caught:
        list(Reader(ENTRY).read(str(tmp_path / name)))
    assert str(caught.value).startswith(reason)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(Reader(ENTRY).read(str(tmp_path / "t.csv")))


def test_a_batch() -> None:
    reader = Reader(ENTRY)
    batch = reader.stack([reader.encode(ROW), reader.encode(ROW | {"age": 1})])
    assert batch.shape == (2, 6) and batch.dtype == np.float32


def test_examples_give_the_same_row_again(tmp_path: Path) -> None:
    """Numbers of every exponent, all codes and dates of all months and hours, known and unknown."""
    reader, generator = Reader(ENTRY), np.random.default_rng(0)
    bits = generator.integers(0, 2**32, 400, np.uint32).view(np.float32)
    numbers = [*bits[np.isfinite(bits)].tolist(), 0.1, -0.0, 0.0, 1e15, 16777217.0, 3.4028234e38, 1e-45, None]
    for place, number in enumerate(numbers):
        moment = datetime.datetime(1900, 1, 1) + datetime.timedelta(hours=int(generator.integers(0, 2_000_000)))
        city = [None, "Bonn", "Oslo", "Rome", "(other)"][place % 5]
        when = None if place % 7 == 0 else moment.isoformat()
        row = reader.encode({"age": number, "when": when, "city": city, "flag": [True, None, "no"][place % 3]})
        name = save_example(row, ENTRY, tmp_path / f"example.{place}")
        assert name == f"example.{place}.json"
        assert reader.encode(tmp_path / name).tobytes() == row.tobytes(), (tmp_path / name).read_text()


def test_an_example_is_for_people(tmp_path: Path) -> None:
    name = save_example(Reader(ENTRY).encode(ROW | {"age": 0.1, "city": "Rome", "flag": None}), ENTRY, tmp_path / "1")
    assert json.loads((tmp_path / name).read_text()) == {
        "age": 0.1, "when": "2026-01-31T00:00", "city": "(other)", "flag": "(other)",
    }  # fmt: skip


def test_an_example_of_a_category_that_is_called_other(tmp_path: Path) -> None:
    entry = ENTRY | {"columns": [column("city", "category", ["(other)", "((other))"])]}
    reader = Reader(entry)
    for code in range(3):
        row = np.array([code], np.float32)
        assert reader.encode(tmp_path / save_example(row, entry, tmp_path / "1")).tolist() == [code]


def test_it_imports_nothing_of_the_project() -> None:
    code = f"import runpy, sys; runpy.run_path({table.__file__!r}); print([m for m in sys.modules if 'stagewise' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and table.REQUIREMENTS == ()


def test_the_parts_raise_on_their_own() -> None:
    assert clean(" a ") == "a" and to_number("1") == 1 and to_moment("2026-01-31").year == 2026
    with pytest.raises(RowError):
        clean(object())
