"""Class labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.data.labels import UNKNOWN, resolve
from stagewise.data.schema import ClassTarget
from stagewise.data.targets.encoder import Targets


class ClassEncoder:
    """Labels are the names or numbers of classes; the number of the class is stored.

    Args:
        classes: their names in order; found in the data when None.
    """

    kind = "class"
    dtype = np.dtype(np.int64)

    def __init__(self, classes: list[str] | None = None) -> None:
        self._declared = classes
        self._places: dict[str | int, int] = {}
        self._classes: list[str] = []

    def check(self, label: Any) -> int:
        """Number of the label by first appearance.

        Raises:
            ValueError: it is no text and no whole number.
        """
        # A numpy integer is one too.
        known = label if isinstance(label, str) else int(label)
        if not isinstance(label, str) and known != label:
            raise ValueError(f"label {label!r} is no class: a class is a name or a whole number")
        return self._places.setdefault(known, len(self._places))

    def show(self, spooled: int | float) -> str:
        """The label as it was published."""
        return repr(list(self._places)[int(spooled)])

    def resolve(self, spooled: NDArray[Any]) -> Targets:
        """Class numbers.

        Raises:
            ConfigError: a class is declared twice.
        """
        labels = list(self._places)
        self._classes, numbers = resolve(labels, self._declared)
        text = np.array([isinstance(label, str) for label in labels], np.bool_)[spooled]
        rarer = text if 2 * np.count_nonzero(text) <= len(text) else ~text
        values = numbers[spooled]
        odd = rarer if self._declared is None else np.zeros(len(values), np.bool_)
        return Targets(values, values, values != UNKNOWN, odd, self._classes)

    def describe(self, values: NDArray[Any]) -> ClassTarget:  # noqa: ARG002
        """The entry of schema.json."""
        return ClassTarget(classes=self._classes, outputs=len(self._classes))
