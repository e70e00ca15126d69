"""How much of a regression model a compressed graph keeps."""

import numpy as np
from numpy.typing import NDArray

from stagewise.data.schema import DataSchema
from stagewise.data.targets.entries import NumberEntry

CLOSE = 0.05
"""Answers no further apart than this many standard deviations of the target count as the same."""

Answer = tuple[NDArray[np.float32]]


class Quality:
    """R2, the share of answers close to those of fp32, and the largest change of an answer."""

    name = "r2"
    block = 1

    def __init__(self, schema: DataSchema) -> None:
        target = schema.target.narrow(NumberEntry)
        self._unit = target.unit
        # The entry's own deviation is of the logarithm where there is one; the rows tell that of the numbers.
        self._targets: list[NDArray[np.float64]] = []
        self._squares: list[NDArray[np.float64]] = []
        self._reference: list[NDArray[np.float64]] = []
        self._shifts: list[NDArray[np.float64]] = []

    def add(self, targets: NDArray[np.float64], outputs: Answer, expected: Answer) -> None:
        """Count a batch: true numbers, (value,) of the graph, and that of fp32, ``(n,)`` each."""
        value, reference = outputs[0].astype(np.float64), expected[0].astype(np.float64)
        self._targets.append(np.asarray(targets, dtype=np.float64))
        self._squares.append(np.square(value - targets))
        self._reference.append(np.square(reference - targets))
        self._shifts.append(np.abs(value - reference))

    def score(self) -> float:
        """1 - squared error / variance of the targets; 0 where they do not vary."""
        spread = self._spread()
        return 1 - float(np.concatenate(self._squares).sum()) / spread if spread > 0 else 0.0

    def lost(self) -> NDArray[np.float64]:
        """What each row adds to the loss of R2 against fp32, times the number of rows."""
        spread, gap = self._spread(), np.concatenate(self._squares) - np.concatenate(self._reference)
        return gap * (len(gap) / spread) if spread > 0 else np.zeros(len(gap))

    def agreement(self) -> float:
        """Share of rows whose answer lies within ``CLOSE`` standard deviations of the targets from that of fp32."""
        allowed = CLOSE * float(np.concatenate(self._targets).std())
        return float((np.concatenate(self._shifts) <= allowed).mean())

    def details(self) -> dict[str, str | float]:
        """Root mean square error, and the largest change of an answer against fp32, in the target's unit."""
        rmse = float(np.concatenate(self._squares).mean()) ** 0.5
        largest = float(np.concatenate(self._shifts).max())
        return {"rmse": float(f"{rmse:.6g}"), "largest_shift": float(f"{largest:.6g}"), "unit": self._unit}

    def _spread(self) -> float:
        targets = np.concatenate(self._targets)
        return float(np.square(targets - targets.mean()).sum())
