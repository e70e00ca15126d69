"""Two sets of answers to the same rows: which moved, by how much, and whether they are equally good."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.review import ReviewSection
from stagewise.review.compare.content import read_table
from stagewise.review.compare.equivalence import compare_correct, compare_errors, judge
from stagewise.review.record import Answers, Equivalence, Moved
from stagewise.review.verdict import Verdict

SHOWN = 100
"""Moved rows that a review lists."""
_NOT_A_NUMBER = 1e300
"""Distance of a number from one that is none; JSON has no infinity."""


@dataclass(frozen=True)
class Table:
    """The answers of one run, a row each, whatever the task.

    Attributes:
        ids: names of the rows.
        targets: what is true, as text.
        labels: the predicted class as text; None where numbers are predicted.
        numbers: everything that may differ by rounding, ``(n, k)``: probabilities, or values.
        errors: how wrong each row is, ``(n,)``, where numbers are predicted.
    """

    ids: list[str]
    targets: list[str]
    labels: list[str] | None
    numbers: NDArray[np.float64]
    errors: NDArray[np.float64] | None

    @property
    def confidence(self) -> NDArray[np.float64] | None:
        """Probability of the predicted class."""
        return self.numbers.max(axis=1) if self.labels is not None and self.numbers.shape[1] else None


def is_answers(path: Path) -> bool:
    """Whether a file holds a task's answers, row by row."""
    if path.suffix != ".parquet":
        return False
    names = set(read_table(path).column_names)
    return "id" in names and bool({"label", "value", "squared_error"} & names)


def read_answers(path: Path) -> Table:
    """Read what an evaluation wrote: classes with ``p_<class>`` columns, values, or errors by window."""
    table = read_table(path)
    ids = [str(value) for value in table["id"].to_pylist()]
    targets = (
        [str(value) for value in table["target"].to_pylist()] if "target" in table.column_names else [""] * len(ids)
    )
    if "label" in table.column_names:
        names = [name for name in table.column_names if name.startswith("p_")]
        labels = [str(value) for value in table["label"].to_pylist()]
        return Table(ids, targets, labels, _columns(table, names), None)
    if "value" in table.column_names:
        return Table(ids, targets, None, _columns(table, ["value"]), np.abs(_columns(table, ["error"])[:, 0]))
    return Table(ids, targets, None, _columns(table, ["squared_error"]), _columns(table, ["squared_error"])[:, 0])


def compare_answers(
    stage: str, recorded: Table, reproduced: Table, thresholds: ReviewSection
) -> tuple[Verdict, Answers | None]:
    """Judge the stage whose result gave the answers; None where the rows are not the same."""
    if recorded.ids != reproduced.ids or recorded.targets != reproduced.targets or not recorded.ids:
        return Verdict.DIFFERS, None
    if recorded.numbers.shape != reproduced.numbers.shape or (recorded.labels is None) != (reproduced.labels is None):
        return Verdict.DIFFERS, None
    moved = _moved(recorded, reproduced)
    largest = _largest(recorded, reproduced)
    churn = len(moved) / len(recorded.ids) if recorded.labels is not None else 0.0
    same = churn == 0 and largest == 0
    close = churn <= thresholds.churn and largest <= thresholds.difference
    test = None if same or close else _test(recorded, reproduced, thresholds)
    verdict = (
        Verdict.IDENTICAL if same else Verdict.NUMERICAL if close else judge(test) if test else Verdict.INCONCLUSIVE
    )
    answers = Answers(
        stage=stage, rows=len(recorded.ids), churn=churn, largest_difference=largest,
        moved=[_row(recorded, reproduced, row) for row in moved[:SHOWN]], equivalence=test,
    )  # fmt: skip
    return verdict, answers


def _test(recorded: Table, reproduced: Table, thresholds: ReviewSection) -> Equivalence | None:
    margin, alpha = thresholds.margin, thresholds.alpha
    if recorded.labels is not None and reproduced.labels is not None:
        return compare_correct(_correct(recorded), _correct(reproduced), margin, alpha)
    if recorded.errors is None or reproduced.errors is None or len(recorded.ids) < 2:
        return None
    if not (np.isfinite(recorded.errors).all() and np.isfinite(reproduced.errors).all()):
        return None
    return compare_errors(recorded.errors, reproduced.errors, margin, alpha)


def _correct(table: Table) -> NDArray[np.bool_]:
    return np.array([label == target for label, target in zip(table.labels or [], table.targets, strict=True)])


def _moved(recorded: Table, reproduced: Table) -> list[int]:
    """Rows with another class, those first where the repeated run is most sure."""
    if recorded.labels is None or reproduced.labels is None:
        return []
    rows = [row for row, (a, b) in enumerate(zip(recorded.labels, reproduced.labels, strict=True)) if a != b]
    confidence = reproduced.confidence
    return rows if confidence is None else sorted(rows, key=lambda row: -confidence[row])


def _largest(recorded: Table, reproduced: Table) -> float:
    """Of probabilities as they are; of other numbers in standard deviations of the recorded column."""
    if not recorded.numbers.size:
        return 0.0
    gaps = np.abs(recorded.numbers - reproduced.numbers)
    if recorded.labels is None:
        spread = recorded.numbers.std(axis=0)
        gaps = gaps / np.where(spread > 0, spread, 1.0)
    return float(np.nan_to_num(gaps, nan=_NOT_A_NUMBER, posinf=_NOT_A_NUMBER).max())


def _row(recorded: Table, reproduced: Table, row: int) -> Moved:
    before, after = recorded.confidence, reproduced.confidence
    return Moved(
        id=recorded.ids[row],
        target=recorded.targets[row],
        recorded=recorded.labels[row] if recorded.labels else "",
        reproduced=reproduced.labels[row] if reproduced.labels else "",
        confidence_recorded=None if before is None else float(before[row]),
        confidence_reproduced=None if after is None else float(after[row]),
    )


def _columns(table: Any, names: list[str]) -> NDArray[np.float64]:
    if not names:
        return np.empty((table.num_rows, 0))
    return np.column_stack([np.asarray(table[name].to_numpy(), np.float64) for name in names])
