"""Answers that are the next steps of a series: what the graph gives, as a table and as JSON.

This file is copied next to a package's predictor, so it imports only the standard library and numpy.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OUTPUTS = "float32 `forecast` [batch, steps, variables], in the unit of each variable"
"""What the graph gives, for the model card."""

_STEP = re.compile(r"(\d+)([a-z]+)")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next steps of one series."""

    variables: tuple[str, ...]
    units: tuple[str, ...]
    """Of the variables; empty where one has none."""
    step: str
    """Distance of the steps: ``1h``, ``15min``, ``1mo``; or ``row``."""
    values: NDArray[np.float64]
    """``(steps, variables)``."""

    def line(self, top: int = 1) -> str:  # noqa: ARG002
        """How many steps; then a table, tab-separated, with a line that names the columns and one per step.

        Steps are told by their distance from the last row given: ``+1h``, ``+2h``. All are told, whatever ``top``.
        """
        names = [f"{name} ({unit})" if unit else name for name, unit in zip(self.variables, self.units, strict=True)]
        rows = [
            "\t".join([ahead, *(f"{value:.6g}" for value in row)])
            for ahead, row in zip(self.steps(), self.values, strict=True)
        ]
        return "\n".join([f"{len(rows)} steps of {self.step}", "\t".join(["step", *names]), *rows])

    def to_dict(self, top: int = 1) -> dict[str, Any]:  # noqa: ARG002
        """For JSON: the distance of every step, and the values and unit of every variable."""
        columns = {name: [float(value) for value in self.values[:, place]] for place, name in enumerate(self.variables)}
        return {"steps": self.steps(), "forecast": columns, "units": dict(zip(self.variables, self.units, strict=True))}

    def numbers(self) -> list[float]:
        """What a self-test compares: all values, step by step."""
        return [float(value) for value in self.values.reshape(-1)]

    def steps(self) -> list[str]:
        """Distance of every step from the last row that was given."""
        found = _STEP.fullmatch(self.step)
        size, unit = (int(found[1]), found[2]) if found else (1, "")
        return [f"+{size * number}{unit}" for number in range(1, len(self.values) + 1)]


class Answers:
    """Reads the graph's outputs.

    Args:
        target: the entry of schema.json, of kind "series".
    """

    def __init__(self, target: dict[str, Any]) -> None:
        self._names = tuple(target["variables"]), tuple(target["units"]), str(target["step"])

    def decode(self, outputs: list[NDArray[Any]]) -> list[Forecast]:
        """One answer per window of the output ``forecast`` ``(n, steps, variables)``.

        Raises:
            ValueError: a value is not a finite number.
        """
        values = np.asarray(outputs[0], dtype=np.float64)
        if len(broken := np.flatnonzero(~np.isfinite(values).all((1, 2)))):
            raise ValueError(f"the forecast for input {broken[0]} holds something that is not a finite number")
        return [Forecast(*self._names, row) for row in values]
