"""How far two files are apart, in numbers and in words."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from stagewise.review.compare.distance import (
    changed_values,
    describe_tensors,
    describe_text,
    describe_values,
    table_distance,
    values_are_close,
)


def values(folder: Path, before: Any, after: Any) -> list[tuple[str, Any, Any]]:
    paths = [folder / "a.json", folder / "b.json"]
    for path, value in zip(paths, (before, after), strict=True):
        path.write_text(json.dumps(value))
    return changed_values(*paths)


@pytest.mark.parametrize(
    ("before", "after", "close", "words"),
    [
        ({"a": 1.0}, {"a": 1.0}, True, ""),
        ({"a": 0.98}, {"a": 0.981}, True, "a: 0.98 -> 0.981"),
        ({"a": 0.98}, {"a": 0.95}, False, "a: 0.98 -> 0.95"),
        ({"a": 0.0001}, {"a": 0.0009}, True, "a: 0.0001 -> 0.0009"),
        ({"a": 0.0}, {"a": 0.002}, False, "a: 0.0 -> 0.002"),
        ({"a": 1}, {"b": 1}, False, "a: 1 -> absent; b: absent -> 1"),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, False, "a: [1, 2] -> [1, 2, 3]"),
        ({"a": [1, {"b": 2.0}]}, {"a": [1, {"b": 2.001}]}, True, "a[1].b: 2.0 -> 2.001"),
        ({"a": True}, {"a": 1}, False, "a: True -> 1"),
        ({"a": "lost 0.010 of 10"}, {"a": "lost 0.0101 of 10"}, True, "a: lost 0.010 of 10 -> lost 0.0101 of 10"),
        ({"a": "lost 1"}, {"a": "won 1"}, False, "a: lost 1 -> won 1"),
        ({"a": "ab" * 32}, {"a": "cd" * 32}, True, "a: abababab -> cdcdcdcd"),
        ({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}, {"a": 2.0, "b": 2.0, "c": 2.0, "d": 2.0}, False,
         "a: 1.0 -> 2.0; b: 1.0 -> 2.0; c: 1.0 -> 2.0; and 1 more"),
    ],
)  # fmt: skip
def test_values(before: Any, after: Any, close: bool, words: str, tmp_path: Path) -> None:
    changes = values(tmp_path, before, after)
    assert values_are_close(changes, 0.01) is close
    assert describe_values(changes) == words


@pytest.mark.parametrize(
    ("before", "after", "distance", "words"),
    [
        ({"x": [1.0, 4.0]}, {"x": [1.0, 4.0]}, 0.0, "0 of 1 columns differ"),
        ({"x": [1.0, 4.0]}, {"x": [1.0, 4.2]}, 0.05, "1 of 1 columns differ, x most (largest share 0.05)"),
        ({"x": [1, 4]}, {"x": [1, 5]}, 0.25, "largest share 0.25"),
        ({"x": ["a"]}, {"x": ["b"]}, math.inf, "not only numbers"),
        ({"x": [1.0]}, {"y": [1.0]}, math.inf, "columns differ: x / y"),
        ({"x": [1.0]}, {"x": [1.0, 2.0]}, math.inf, "1 rows -> 2 rows"),
        ({"x": [1.0, None]}, {"x": [1.0, 2.0]}, math.inf, "not only numbers"),
        ({"x": [[1.0, 2.0]]}, {"x": [[1.0, 2.1]]}, 0.05, "largest share 0.05"),
        ({"x": [[1.0, 2.0]]}, {"x": [[1.0]]}, math.inf, "not only numbers"),
        ({"x": [1.0, math.nan]}, {"x": [1.1, math.nan]}, 0.1, "largest share 0.1"),
    ],
)
def test_tables(
    before: dict[str, list[Any]], after: dict[str, list[Any]], distance: float, words: str, tmp_path: Path
) -> None:
    for name, columns in (("a.parquet", before), ("b.parquet", after)):
        pq.write_table(pa.table(columns), tmp_path / name)
    found, said = table_distance(tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert found == pytest.approx(distance)
    assert words in said


def test_tensors(tmp_path: Path) -> None:
    one = {"a": np.zeros(3), "b": np.ones(2)}
    save_file(one, tmp_path / "a.safetensors")
    save_file(one | {"b": np.array([1.0, 1.5])}, tmp_path / "b.safetensors")
    save_file({"a": np.zeros(4)}, tmp_path / "c.safetensors")
    first = tmp_path / "a.safetensors"
    assert describe_tensors(first, tmp_path / "b.safetensors") == "1 of 2 tensors differ, b most (by 0.5)"
    assert describe_tensors(first, tmp_path / "c.safetensors") == "names or shapes of tensors differ"


def test_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\ntwo\n")
    (tmp_path / "b").write_text("one\n2\n")
    assert describe_text(tmp_path / "a", tmp_path / "b") == "line 2: two -> 2"
