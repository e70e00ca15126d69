"""Numbers to predict."""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stagewise.data.targets.encoder import Targets
from stagewise.data.targets.entries import NumberEntry


class NumberTarget:
    """The label is a finite number, stored as it is.

    Args:
        name: what is predicted, for reports.
        unit: its unit.
        transform: "log1p" trains on log(1 + number), for amounts that span several powers of ten; none is negative.
    """

    kind = "number"
    dtype = np.dtype(np.float64)

    def __init__(self, *, name: str = "value", unit: str = "", transform: Literal["none", "log1p"] = "none") -> None:
        self._name, self._unit, self._transform = name, unit, transform

    def check(self, label: Any) -> float:
        """The number.

        Raises:
            ValueError: it is none, is not finite, or is negative where its logarithm is wanted.
        """
        try:
            number = float(label)
        except (TypeError, ValueError):
            raise ValueError(f"label {label!r} is no number") from None
        if not math.isfinite(number):
            raise ValueError(f"label {label!r} is not finite")
        if self._transform == "log1p" and number < 0:
            raise ValueError(f"label {number:g} is negative, and data.target.transform is log1p")
        return number

    def show(self, spooled: int | float) -> str:
        """The number with its unit."""
        return f"{spooled:g} {self._unit}".rstrip()

    def resolve(self, spooled: NDArray[Any]) -> Targets:
        """The numbers; rows are drawn into splits whatever their number."""
        rows = len(spooled)
        return Targets(
            spooled.astype(np.float64),
            np.zeros(rows, np.int64),
            np.ones(rows, np.bool_),
            np.zeros(rows, np.bool_),
            None,
        )

    def describe(self, values: NDArray[Any]) -> NumberEntry:
        """The entry of schema.json."""
        used = np.log1p(values) if self._transform == "log1p" else values
        std = float(used.std())
        return NumberEntry(
            name=self._name,
            unit=self._unit,
            transform=self._transform,
            mean=float(used.mean()),
            std=std if std > 0 else 1.0,
            minimum=float(values.min()),
            maximum=float(values.max()),
        )
