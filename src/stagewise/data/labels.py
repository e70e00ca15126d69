"""From labels as published to class numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stagewise.errors import ConfigError

UNKNOWN = -1
"""Class number of a label outside the declared classes."""


def resolve(labels: Sequence[str | int], declared: list[str] | None) -> tuple[list[str], NDArray[np.int64]]:
    """The class names, and the class number of each of these distinct labels.

    With ``declared`` classes an int label is the number of its class and a str label its name;
    any other is UNKNOWN. Without, the classes are the labels: numbers in numerical, then text in
    alphabetical order.

    Raises:
        ConfigError: a class is declared twice.
    """
    if declared is None:
        ordered = [*sorted(_numbers(labels)), *sorted(label for label in labels if isinstance(label, str))]
        places = {label: place for place, label in enumerate(ordered)}
        return [str(label) for label in ordered], _array([places[label] for label in labels])
    twice = sorted({name for name in declared if declared.count(name) > 1})
    if twice:
        raise ConfigError(f"classes declared twice: {', '.join(twice)}", where="data.classes")
    names = {name: place for place, name in enumerate(declared)}
    return declared, _array([_place(label, names) for label in labels])


def _place(label: str | int, names: dict[str, int]) -> int:
    if isinstance(label, str):
        return names.get(label, UNKNOWN)
    return label if 0 <= label < len(names) else UNKNOWN


def _numbers(labels: Sequence[str | int]) -> list[int]:
    return [label for label in labels if not isinstance(label, str)]


def _array(places: list[int]) -> NDArray[np.int64]:
    return np.array(places, np.int64)
