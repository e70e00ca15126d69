"""Answers that are one of several classes.

This file is shipped in packages, so it imports only the standard library and numpy.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from numpy.typing import NDArray

OUTPUTS = "int64 `label` [batch], the number of the class, and float32 `probabilities` [batch, classes]"
"""What the graph gives, for the model card."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one input."""

    label: str
    probability: float
    """Of the label."""
    probabilities: dict[str, float]
    """Of every class, in the order of the classes."""

    def top(self, count: int = 1) -> list[tuple[str, float]]:
        """The ``count`` most likely classes with their probabilities, most likely first."""
        return sorted(self.probabilities.items(), key=itemgetter(1), reverse=True)[:count]

    def line(self, top: int = 1) -> str:
        """Class and probability of the ``top`` most likely classes, tab-separated."""
        return "\t".join(f"{label}\t{probability:.4f}" for label, probability in self.top(top))

    def to_dict(self, top: int = 1) -> dict[str, Any]:
        """For JSON: label, probability, and the ``top`` most likely classes."""
        best = {label: round(value, 6) for label, value in self.top(top)}
        return {"label": self.label, "probability": round(self.probability, 6), "top": best}


class Answers:
    """Words the graph's outputs.

    Args:
        target: the target's entry in schema.json (``classes``, ``outputs``).

    Raises:
        ValueError: the model has not one output per class.
    """

    def __init__(self, target: dict[str, Any]) -> None:
        self.classes: list[str] = target["classes"]
        if len(self.classes) != target["outputs"]:
            raise ValueError(f"{len(self.classes)} classes for {target['outputs']} outputs")

    def decode(self, outputs: list[NDArray[Any]]) -> list[Prediction]:
        """Predictions from labels int64 ``[N]`` and probabilities float32 ``[N, K]``."""
        labels, probabilities = outputs
        rows = zip(labels.tolist(), probabilities.tolist(), strict=True)
        return [
            Prediction(self.classes[label], values[label], dict(zip(self.classes, values, strict=True)))
            for label, values in rows
        ]
