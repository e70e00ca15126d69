"""Inference of types, as a table."""

from typing import Any

import pytest

from stagewise.data.tables.facts import Facts
from stagewise.data.tables.types import Column, Limits, MixedError, infer


def noted(values: list[Any]) -> Facts:
    facts = Facts()
    for value in values:
        facts.add(value)
    facts.close()
    return facts


TYPES: list[tuple[str, list[Any], str]] = [
    ("whole numbers", ["1", "2", "3"], "number"),
    ("fractions", ["0.5", "-1e3", ".5"], "number"),
    ("two fractions", ["0.5", "0.7"], "number"),
    ("numbers of Parquet", [1, 2, 3.5], "number"),
    ("numbers, some missing", ["1", None, "2", "3"], "number"),
    ("flags 0 and 1", ["0", "1", "1"], "category"),
    ("one whole number and missing ones", ["7", None], "category"),
    ("postcodes", ["01067", "10115", "20095"], "category"),
    ("zeros that are no padding", ["0", "0.5", "10"], "number"),
    ("booleans", [True, False], "category"),
    ("text that says true or false", ["True", "FALSE"], "category"),
    ("dates", ["2026-01-31", "2026-02-01"], "date"),
    ("times", ["2026-01-31T12:00Z", "2026-01-31 12:00:01.5"], "date"),
    ("dates of another notation", ["31.01.2026", "01.02.2026"], "category"),
    ("words", ["a", "b"], "category"),
    ("a few numbers among words", ["1", "2", "ground"], "category"),
    ("mostly numbers, of few values", [str(n % 49) for n in range(500)] + ["ground"], "category"),
    ("numbers, and dates", ["1", "2026-01-31"], "category"),
    ("nothing", [None, None], "category"),
]


@pytest.mark.parametrize(("values", "kind"), [case[1:] for case in TYPES], ids=[case[0] for case in TYPES])
def test_types(values: list[Any], kind: str) -> None:
    assert infer(noted(values)) == kind


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([str(n) for n in range(100)] + ["n/a"], "numbers in 100 training rows, something else in 1, e.g. 'n/a'"),
        ([str(n) for n in range(99)] + ["a", "b", "c", "d"], "numbers in 99 training rows, something else in 4, e.g. 'a', 'b', 'c'"),
        ([f"2026-{m:02}-{d:02}" for m in range(1, 4) for d in range(1, 29)] + ["soon"], "dates in 84 training rows, something else in 1, e.g. 'soon'"),
        ([f"2026-{m:02}-{d:02}" for m in range(1, 4) for d in range(1, 29)] + ["5"], "dates in 84 training rows, something else in 1"),
    ],
    ids=["numbers", "several", "dates", "a number"],
)  # fmt: skip
def test_a_mixture_is_no_type(values: list[str], message: str) -> None:
    with pytest.raises(MixedError) as caught:
        infer(noted(values))
    assert str(caught.value) == message


def entries(values: list[Any], kind: Any, rows: int = 1, **limits: Any) -> list[dict[str, Any]]:
    column = Column("x", noted(values), kind, "inferred", "m")
    return [entry.model_dump() for entry in column.entries(Limits(limits.pop("categories", 9), rows, **limits))]


def test_a_number() -> None:
    (entry,) = entries(["1", None, "3"], "number")
    assert (entry["minimum"], entry["maximum"], entry["mean"], entry["std"], entry["missing"]) == (1, 3, 2, 1, 1)
    assert (entry["unit"], entry["codes"], entry["categories"], entry["part"]) == ("m", 0, [], None)


def test_codes() -> None:
    (entry,) = entries(["b", "a", "b", "rare", None], "category", rows=1, categories=2)
    assert entry["categories"] == ["a", "b"] and entry["counts"] == [1, 1, 2, 1]
    assert (entry["codes"], entry["missing_code"], entry["missing"]) == (4, 3, 1)
    (entry,) = entries(["b", "b", "a", "rare"], "category", rows=2)
    assert (entry["categories"], entry["counts"], entry["codes"], entry["missing_code"]) == (["b"], [2, 2], 2, None)


def test_a_date_and_its_parts() -> None:
    found = entries(["2026-01-31T05:00", "2026-02-01T05:30", "2026-02-28T05:00"], "date")
    assert [(entry["name"], entry["source"], entry["part"], entry["type"]) for entry in found] == [
        ("x", "x", None, "date"),
        ("x.month", "x", "month", "category"),
        ("x.weekday", "x", "weekday", "category"),
    ]  # the hour does not vary
    assert found[0]["maximum"] - found[0]["minimum"] == 28 and found[0]["unit"] == "m"
    assert found[1]["categories"] == ["1", "2"] and found[2]["categories"] == ["Saturday", "Sunday"]
    assert [entry["part"] for entry in entries(["2026-01-31", "2026-02-02"], "date", parts=())] == [None]
    moments = entries(["2026-01-31T05:00", "2026-01-31T06:00"], "date")
    assert [entry["part"] for entry in moments] == ["hour"]


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        ([None, None], "number", "no training row has a value"),
        (["7", "7"], "number", "every training row has '7'"),
        (["7", "7.0"], "number", "every training row has the same value"),
        (["1.00000001", "1"], "number", "every training row has the same value"),
        (["a", "a"], "category", "every training row has 'a'"),
        (["a", "b"], "category", "none of its 2 categories occurs in 2 training rows"),
        (["2026-01-31", "2026-01-31"], "date", "every training row has '2026-01-31'"),
    ],
)
def test_what_does_not_vary_is_left_out(values: list[Any], kind: Any, why: str) -> None:
    column = Column("x", noted(values), kind, "inferred")
    assert column.entries(Limits(9, 2)) == [] and column.why_dropped(Limits(9, 2)) == why


@pytest.mark.parametrize(("values", "kind"), [(["7", None], "number"), (["a", "a", None], "category")])
def test_whether_a_value_is_missing_varies_too(values: list[Any], kind: Any) -> None:
    assert len(entries(values, kind)) == 1
