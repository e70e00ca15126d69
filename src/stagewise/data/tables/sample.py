"""Rows that stand for all rows."""

from typing import Any

MOST = 50_000
"""Most rows that are kept."""


class RowSample:
    """Every row up to ``MOST``, then every second, every fourth ...: evenly spread, and the same for equal rows.

    Attributes:
        rows: how many were added.
        kept: those that stand for all, in their order.
        targets: theirs.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.kept: list[bytes] = []
        self.targets: list[Any] = []
        self._step = 1

    def add(self, row: bytes, target: Any) -> None:
        """Add one row."""
        if self.rows % self._step == 0:
            self.kept.append(row)
            self.targets.append(target)
            if len(self.kept) > MOST:
                self.kept, self.targets = self.kept[::2], self.targets[::2]
                self._step *= 2
        self.rows += 1
