"""Answers of each task, side by side."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stagewise.config.schema.review import ReviewSection
from stagewise.review.compare.answers import compare_answers, is_answers, read_answers
from stagewise.review.verdict import Verdict

LIMITS = ReviewSection(churn=0.01, difference=0.05, margin=0.02)
ROWS = 400


def classes(moved: int = 0, shift: float = 0.0, right: float = 0.9) -> dict[str, list[Any]]:
    """Two classes; the first ``moved`` rows get the other one."""
    labels = ["b" if row < moved else "a" for row in range(ROWS)]
    p_a = [0.2 if row < moved else 0.8 - shift for row in range(ROWS)]
    targets = ["a" if row < right * ROWS else "b" for row in range(ROWS)]
    return {"id": [f"r{row}" for row in range(ROWS)], "target": targets, "label": labels,
            "p_a": p_a, "p_b": [1 - p for p in p_a]}  # fmt: skip


def values(shift: float = 0.0) -> dict[str, list[Any]]:
    true = [float(row % 50) for row in range(ROWS)]
    errors = [0.5 + 0.01 * (row % 7) for row in range(ROWS)]
    return {"id": [str(row) for row in range(ROWS)], "target": true,
            "value": [t + e + shift for t, e in zip(true, errors, strict=True)], "error": [e + shift for e in errors]}  # fmt: skip


def windows(factor: float = 1.0) -> dict[str, list[Any]]:
    return {"id": [str(row) for row in range(ROWS)], "squared_error": [factor * (1 + row % 5) for row in range(ROWS)]}


def table(folder: Path, name: str, columns: dict[str, list[Any]]) -> Any:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    assert is_answers(folder / f"{name}.parquet")
    return read_answers(folder / f"{name}.parquet")


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (classes(), classes(), Verdict.IDENTICAL),
        (classes(), classes(shift=0.04), Verdict.NUMERICAL),
        (classes(), classes(moved=3), Verdict.STATISTICAL),
        (classes(), classes(moved=8), Verdict.INCONCLUSIVE),
        (classes(), classes(moved=80), Verdict.DIFFERS),
        (values(), values(), Verdict.IDENTICAL),
        (values(), values(0.01), Verdict.NUMERICAL),
        (values(), values(5.0), Verdict.DIFFERS),
        (windows(), windows(), Verdict.IDENTICAL),
        (windows(), windows(1.0001), Verdict.NUMERICAL),
        (windows(), windows(2.0), Verdict.DIFFERS),
    ],
)
def test_verdicts(before: dict[str, list[Any]], after: dict[str, list[Any]], verdict: Verdict, tmp_path: Path) -> None:
    tables = table(tmp_path, "before", before), table(tmp_path, "after", after)
    found, answers = compare_answers("train", *tables, LIMITS)
    assert found is verdict
    assert answers is not None and answers.rows == ROWS
    assert (answers.equivalence is None) is (verdict in (Verdict.IDENTICAL, Verdict.NUMERICAL))


def test_moved_rows_are_listed_the_most_certain_first_and_not_all(tmp_path: Path) -> None:
    after = classes(moved=150)
    after["p_b"][7], after["p_a"][7] = 0.99, 0.01
    _, answers = compare_answers("train", table(tmp_path, "a", classes()), table(tmp_path, "b", after), LIMITS)
    assert answers is not None and answers.churn == 150 / ROWS and len(answers.moved) == 100
    first = answers.moved[0]
    assert (first.id, first.target, first.recorded, first.reproduced) == ("r7", "a", "a", "b")
    assert (first.confidence_recorded, first.confidence_reproduced) == (0.8, 0.99)


@pytest.mark.parametrize("change", ["ids", "targets", "rows", "classes", "kind"])
def test_other_rows_cannot_be_compared(change: str, tmp_path: Path) -> None:
    after = classes()
    if change == "ids":
        after["id"][0] = "another"
    elif change == "targets":
        after["target"][0] = "b"
    elif change == "rows":
        after = {name: column[:-1] for name, column in after.items()}
    elif change == "classes":
        after["p_c"] = [0.0] * ROWS
    else:
        after = values()
    found = compare_answers("train", table(tmp_path, "a", classes()), table(tmp_path, "b", after), LIMITS)
    assert found == (Verdict.DIFFERS, None)


def test_numbers_that_are_none_can_be_written_down(tmp_path: Path) -> None:
    after = values()
    after["value"][0] = after["error"][0] = float("nan")
    found, answers = compare_answers("x", table(tmp_path, "a", values()), table(tmp_path, "b", after), LIMITS)
    assert found is Verdict.INCONCLUSIVE
    assert answers is not None and "null" not in answers.model_dump_json(exclude={"equivalence", "moved"})


def test_other_tables_are_no_answers(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "score": [1.0]}), tmp_path / "t.parquet")
    assert not is_answers(tmp_path / "t.parquet")
    assert not is_answers(tmp_path / "t.csv")
