"""How many rows are measured, so that what is watched does not slow down what is answered."""

import time


class Budget:
    """So many rows a second, evenly over the second where there are more.

    Args:
        rate: rows per second, and most that are saved up.
    """

    def __init__(self, rate: float) -> None:
        self._rate = self._left = rate
        self._since = time.monotonic()

    def spend(self, rows: int, now: float | None = None) -> bool:
        """Whether the rows of a request may be measured; a large one is, and others wait for it to be paid off.

        Args:
            rows: of the request.
            now: seconds of a clock that never goes back; the machine's by default.
        """
        now = time.monotonic() if now is None else now
        self._left = min(self._rate, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1:
            return False
        self._left -= rows
        return True
