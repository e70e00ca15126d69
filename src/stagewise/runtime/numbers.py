"""Answers that are one number per row: what the graph gives, in words and as JSON.

This file is copied next to a package's predictor, so it imports only the standard library and numpy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OUTPUTS = "float32 `value` [batch], in the unit of the target"
"""What the graph gives, for the model card."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The number predicted for one row."""

    value: float
    unit: str
    """Of the value; empty where it has none."""

    def line(self, top: int = 1) -> str:  # noqa: ARG002
        """The value to six digits and its unit, tab-separated; there is one answer whatever ``top``."""
        return "\t".join(part for part in (format_number(self.value), self.unit) if part)

    def to_dict(self, top: int = 1) -> dict[str, Any]:  # noqa: ARG002
        """``value`` and ``unit``, as JSON takes them."""
        return {"value": self.value, "unit": self.unit}

    def numbers(self) -> list[float]:
        """What a self-test compares."""
        return [self.value]


class Answers:
    """Reads the graph's outputs.

    Args:
        target: the entry of schema.json, of kind "number".
    """

    def __init__(self, target: dict[str, Any]) -> None:
        self._unit = str(target.get("unit", ""))

    def decode(self, outputs: list[NDArray[Any]]) -> list[Prediction]:
        """One answer per row of the output ``value`` ``(n,)``.

        Raises:
            ValueError: an answer is not a finite number.
        """
        values = np.asarray(outputs[0], dtype=np.float64).reshape(-1)
        broken = np.flatnonzero(~np.isfinite(values))
        if len(broken):
            raise ValueError(f"the answer for row {broken[0]} is {values[broken[0]]}, not a finite number")
        return [Prediction(float(value), self._unit) for value in values]


def format_number(value: float) -> str:
    """Six significant digits, without an exponent where the number has at most fifteen places."""
    text = f"{value:.6g}"
    if "e" in text and 1e-6 <= abs(value) < 1e15:
        text = np.format_float_positional(float(text), trim="-")
    return text
