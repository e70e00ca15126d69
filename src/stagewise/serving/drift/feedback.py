"""Answers that are remembered for a while, so that a label that comes back finds what was said."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

from stagewise.drift.columns import Said

Owner = TypeVar("Owner")

_ROWS_OF_ONE = 16


class Kept(Generic[Owner]):
    """The last answers by the id of their request, each for one label only.

    Args:
        most: requests; of rows sixteen times as many.
    """

    def __init__(self, most: int) -> None:
        self._most, self._most_rows = most, most * _ROWS_OF_ONE
        self._found: OrderedDict[str, tuple[Owner, Said]] = OrderedDict()
        self._rows = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._found)

    def keep(self, request_id: str, owner: Owner, answers: Said) -> None:
        """Remember the answers of a request; the oldest are forgotten where there are too many."""
        with self._lock:
            self._found[request_id] = (owner, answers)
            self._rows += len(answers.values)
            while len(self._found) > self._most or self._rows > self._most_rows:
                _, (_, gone) = self._found.popitem(last=False)
                self._rows -= len(gone.values)

    def find(self, request_id: str) -> tuple[Owner, Said] | None:
        """What was said; None where that is not known any more, or never was."""
        return self._found.get(request_id)

    def take(self, request_id: str) -> tuple[Owner, Said] | None:
        """The same, which is forgotten then."""
        with self._lock:
            found = self._found.pop(request_id, None)
            if found:
                self._rows -= len(found[1].values)
            return found
