"""What the preprocess stage asks of a target: one class per kind of answer, named by ``data.target``."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stagewise.data.schema import TargetEntry


@dataclass(frozen=True, slots=True)
class Targets:
    """What the labels of all spooled rows mean.

    Attributes:
        values: what is stored, ``(n,)``.
        strata: group of each row, by which the splits are drawn evenly, ``(n,)``: its class, where there are classes.
        known: whether the label is one that may occur, ``(n,)``.
        odd: whether the label is of another type than most, ``(n,)``.
        classes: names of the classes; None where the answer is no class.
    """

    values: NDArray[Any]
    strata: NDArray[np.int64]
    known: NDArray[np.bool_]
    odd: NDArray[np.bool_]
    classes: list[str] | None


class TargetEncoder(Protocol):
    """From labels as published to what is trained on."""

    kind: str
    """The kind of target, as schema.json names it; a task says which it ``answers``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the stored target."""

    def check(self, label: Any) -> int | float:
        """What is spooled for a label, or a ValueError with the reason."""

    def show(self, spooled: int | float) -> str:
        """A spooled label as a person reads it."""

    def resolve(self, spooled: NDArray[Any]) -> Targets:
        """What all spooled labels mean, once every row was seen."""

    def describe(self, values: NDArray[Any]) -> TargetEntry:
        """The entry of schema.json, from the stored targets of the training rows."""
