"""What schema.json says of targets that are no classes."""

from typing import Literal

from stagewise.data.schema import TargetEntry


class NumberEntry(TargetEntry):
    """One number per row. ``mean`` and ``std`` are those of the training rows, after the transform."""

    kind: str = "number"
    outputs: int = 1
    unit: str
    transform: Literal["none", "log1p"]
    """What is done to the number before it is standardised and trained on."""
    mean: float
    std: float
    """1 where all are equal."""
    minimum: float
    """Of the training rows, in the unit."""
    maximum: float
