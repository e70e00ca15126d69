"""How much of a forecaster a compressed graph keeps."""

import numpy as np
from numpy.typing import NDArray

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.data.schema import DataSchema

CLOSE = 0.05
"""Forecasts that differ by no more than this many standard deviations, root mean square, count as the same."""

Answer = tuple[NDArray[np.float32], ...]


class Quality:
    """R2, the share of windows with a forecast close to that of fp32, and the variable that suffers most."""

    name = "r2"

    def __init__(self, schema: DataSchema) -> None:
        target = schema.target.narrow(SeriesTarget)
        self._variables = target.variables
        self._mean, self._std = np.array(target.mean), np.array(target.std)
        count = len(target.variables)
        self._known, self._sum, self._squares = np.zeros(count), np.zeros(count), np.zeros(count)
        self._errors = np.zeros((2, count))
        self._gaps: list[NDArray[np.float64]] = []
        self.block = target.outputs
        """Windows that begin within one horizon overlap."""
        self._windows, self._close, self._largest = 0, 0, 0.0

    def add(self, targets: NDArray[np.float32], outputs: Answer, expected: Answer) -> None:
        """Count a batch: true values, (forecast,) of the graph, and that of fp32, each ``(n, horizon, V)``.

        Values that were not observed are NaN in ``targets``, and left out.
        """
        truth, found, reference = (self._standardise(values) for values in (targets, outputs[0], expected[0]))
        known = ~np.isnan(truth)
        self._known += known.sum((0, 1))
        self._sum += np.where(known, truth, 0).sum((0, 1))
        self._squares += np.where(known, truth**2, 0).sum((0, 1))
        squares = [np.where(known, (forecast - truth) ** 2, 0).sum(1) for forecast in (found, reference)]
        self._errors += np.stack([part.sum(0) for part in squares])
        self._gaps.append(squares[0] - squares[1])
        shift = np.abs(found - reference)
        self._windows += len(shift)
        self._close += int((np.sqrt((shift**2).mean((1, 2))) <= CLOSE).sum())
        self._largest = max(self._largest, float(shift.max()))

    def score(self) -> float:
        """1 - squared error / variance of the observed values, mean over the variables that vary; 0 if none does."""
        return self._r2(self._errors[0])[0]

    def lost(self) -> NDArray[np.float64]:
        """What each window adds to the loss of R2 against fp32, times the number of windows."""
        spread, varies = self._spread()
        gaps = np.concatenate(self._gaps)[:, varies]
        if not varies.any():
            return np.zeros(len(gaps))
        return np.asarray((gaps / spread[varies]).mean(1) * len(gaps))

    def agreement(self) -> float:
        """Share of windows whose forecast lies within ``CLOSE`` of that of fp32."""
        return float(self._close / self._windows)

    def details(self) -> dict[str, str | float]:
        """The variable whose R2 falls most against fp32, by how much, and the largest change of a value.

        The change is in standard deviations of the training rows.
        """
        lost = self._r2(self._errors[1])[1] - self._r2(self._errors[0])[1]
        worst = int(lost.argmax())
        return {
            "worst_variable": self._variables[worst],
            "worst_variable_drop": round(float(lost[worst]), 6),
            "largest_shift": float(f"{self._largest:.6g}"),
        }

    def _standardise(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray((values.astype(np.float64) - self._mean) / self._std)

    def _r2(self, errors: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The mean, and that of each variable; 0 for one that does not vary."""
        spread, varies = self._spread()
        each = np.where(varies, 1 - errors / np.where(varies, spread, 1.0), 0.0)
        return float(each[varies].mean()) if varies.any() else 0.0, each

    def _spread(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Squared deviations of each variable from its mean, and whether it varies at all."""
        spread = self._squares - self._sum**2 / np.maximum(self._known, 1)
        return spread, spread > 1e-9 * np.maximum(self._squares, 1e-300)
