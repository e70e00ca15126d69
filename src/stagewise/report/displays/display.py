"""What a report asks of a display; and the one for kinds of input that have none."""

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from stagewise.data.schema import DataSchema


class Display(Protocol):
    """How a stored row is shown; built with ``schema``."""

    draws: ClassVar[bool]
    """Whether rows have pictures."""

    def text(self, row: NDArray[Any]) -> str:
        """The row in words; empty where only a picture shows it."""

    def picture(self, row: NDArray[Any]) -> NDArray[np.uint8] | None:
        """The row as pixels ``(H, W, 1 or 3)``, or None."""


class NumbersDisplay:
    """The first few numbers of the row."""

    draws = False

    def __init__(self, schema: DataSchema) -> None:
        """Any kind of input will do."""

    def text(self, row: NDArray[Any]) -> str:
        """At most eight numbers."""
        numbers = row.reshape(-1)
        return " ".join(f"{number:g}" for number in numbers[:8]) + (" …" if len(numbers) > 8 else "")

    def picture(self, row: NDArray[Any]) -> None:
        """None."""
