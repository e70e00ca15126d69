"""Structured checks of the data: what each found, what is done about it, and how failures are told."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.data import Action
from stagewise.errors import DataError

MESSAGES = {
    "readable": "input that cannot be read",
    "dtype": "input with a dtype that no image has",
    "shape": "input with a shape that no image has",
    "channels": "input with a number of channels that no image has",
    "missing": "row without a value or without a label",
    "label_type": "row with a label of another type than the rest: numbers and text are mixed",
    "label_range": "row with a label outside the declared classes",
    "constant": "input with only one value",
    "duplicates": "input that occurred before in the same split",
    "conflicts": "input that occurred before with another label",
    "leakage": "input of an earlier split that occurs in a later split too",
    "class_counts": "class with too few rows to train on",
    "splits": "split without rows",
}
"""Every check, in the order of checks.json, and what one thing is that it finds."""

KEYS = {
    "readable": "unreadable",
    "dtype": "unreadable",
    "shape": "unreadable",
    "channels": "unreadable",
    "missing": "missing",
    "label_range": "label_range",
    "constant": "constant",
    "duplicates": "duplicates",
    "leakage": "leakage",
}
"""The key under data.checks that says what a check does; the others always do the same."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    action: Action
    count: int
    """Rows (or classes, or splits) found."""
    dropped: int = 0
    """Rows that are left out because of it."""
    examples: tuple[str, ...] = ()
    """At most five."""
    remedy: str = ""
    """The config edit by which the check would pass, if there is one."""

    @property
    def failed(self) -> bool:
        """Whether this stops the stage."""
        return self.action == "fail" and self.count > 0

    @property
    def message(self) -> str:
        """One line: check, count, what, and the examples."""
        line = f"{self.check}: {self.count:,} found ({MESSAGES[self.check]})"
        return f"{line}, e.g. {'; '.join(self.examples)}" if self.examples else line

    def report(self) -> dict[str, Any]:
        """The entry of checks.json."""
        return {
            "action": self.action,
            "count": self.count,
            "dropped": self.dropped,
            "examples": list(self.examples),
        }


def remedy(check: str) -> str:
    """The config edit that lets this check drop its rows."""
    return f"data.checks.{KEYS[check]}=drop"


def judge(findings: Sequence[Finding], name: str) -> None:
    """Log what was found, and raise if a check failed.

    Raises:
        DataError: with one line per failed check, all of them at once.
    """
    failed = [finding for finding in findings if finding.failed]
    for finding in findings:
        if finding.count and not finding.failed:
            _log.warning("%s (%s)", finding.message, f"{finding.dropped:,} dropped" if finding.dropped else "kept")
    if failed:
        remedies = " ".join(dict.fromkeys(finding.remedy for finding in failed if finding.remedy))
        raise DataError(
            f"the data of {name!r} failed {len(failed)} check{'s' if len(failed) > 1 else ''}",
            where="data.checks",
            fix=f"correct the files that data.source names, or set {remedies}"
            if remedies
            else "correct the files that data.source names",
            details=[finding.message for finding in failed],
        )


def content_groups(digests: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Number of each row's content: equal digests (n, 2) have equal numbers."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    changes = (digests[order[1:]] != digests[order[:-1]]).any(axis=1)
    groups = np.zeros(len(digests), np.int64)
    groups[order[1:]] = np.cumsum(changes)
    return groups


def first_equal(*keys: NDArray[np.integer]) -> NDArray[np.int64]:
    """For each row the first row with the same keys; itself if none came before."""
    combined = np.zeros(len(keys[0]), np.int64)
    for key in keys:
        combined = combined * (int(key.max(initial=0)) + 1) + key
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    return first[inverse]


def latest_equal(groups: NDArray[np.int64], splits: NDArray[np.int8]) -> NDArray[np.int64]:
    """For each row the first row of its group in the latest split that the group occurs in."""
    latest = np.zeros(int(groups.max(initial=-1)) + 1, np.int64)
    np.maximum.at(latest, groups, splits)
    holders = np.flatnonzero(splits == latest[groups])
    first = np.zeros_like(latest)
    first[groups[holders[::-1]]] = holders[::-1]  # the last assignment wins: the first holder
    return first[groups]
