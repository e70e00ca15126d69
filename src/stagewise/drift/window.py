"""Rows gathered until there are enough of them to be judged."""

import threading

import numpy as np

from stagewise.drift.columns import Table


class Window:
    """The rows since the last full window; of bounded size, for any number of threads.

    Windows do not overlap, so that no row is judged twice and the false-alarm rate holds for every window.

    Args:
        columns: numbers of a row.
        size: rows of a window.
    """

    def __init__(self, columns: int, size: int) -> None:
        self._rows = np.empty((size, columns), np.float32)
        self._count = 0
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Rows that wait for others."""
        return self._count

    def add(self, table: Table) -> list[Table]:
        """Add rows; the windows that they filled, as copies."""
        full = []
        with self._lock:
            while len(table):
                part = table[: len(self._rows) - self._count]
                self._rows[self._count : self._count + len(part)] = part
                self._count += len(part)
                table = table[len(part) :]
                if self._count == len(self._rows):
                    full.append(self._rows.copy())
                    self._count = 0
        return full
