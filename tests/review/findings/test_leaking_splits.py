"""Copies of test rows among the rows that training saw."""

from pathlib import Path

import numpy as np
import pytest

from stagewise.data.layout import Layout
from stagewise.data.storage import SplitWriter
from stagewise.review.findings.splits import leaking


def write(folder: Path, split: str, rows: np.ndarray, ragged: bool = False) -> None:
    layout = Layout(np.dtype(np.uint8), None if ragged else rows.shape[1:])
    with SplitWriter(folder / f"{split}.arrow", layout, 7) as writer:
        values = [row[: 2 + number % 3] for number, row in enumerate(rows)] if ragged else rows
        writer.write(values, np.zeros(len(rows), np.int64), [f"{split}{number}" for number in range(len(rows))])


@pytest.mark.parametrize(
    ("copies", "source", "severity"),
    [(0, "train", None), (1, "train", "warning"), (20, "train", "error"), (20, "validation", "error")],
)
@pytest.mark.parametrize("ragged", [False, True])
def test_copies_are_found(copies: int, source: str, severity: str | None, ragged: bool, tmp_path: Path) -> None:
    rows = np.arange(400 * 4, dtype=np.uint32).view(np.uint8).reshape(400, 4, 4)[..., :].reshape(400, 16)
    parts = {"train": rows[:150].copy(), "validation": rows[150:200].copy(), "test": rows[200:400].copy()}
    parts["test"][:copies] = parts[source][:copies]
    for split, part in parts.items():
        write(tmp_path, split, part)
    found = leaking(tmp_path, "preprocess")
    if severity is None:
        assert found == []
    else:
        assert [(item.code, item.severity, item.stage) for item in found] == [("leaking-split", severity, "preprocess")]
        assert found[0].what.startswith(f"{copies} of 200 test rows")
    if ragged:
        write(tmp_path, "test", parts["train"][:3], ragged=True)
        write(tmp_path, "train", parts["train"][:3], ragged=True)
        assert leaking(tmp_path, None)[0].severity == "error"


def test_splits_that_hold_no_rows_are_left_out(tmp_path: Path) -> None:
    assert leaking(tmp_path, None) == []
