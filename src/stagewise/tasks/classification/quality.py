"""How much of a classifier a compressed graph keeps."""

import numpy as np
from numpy.typing import NDArray

from stagewise.data.schema import DataSchema

Answer = tuple[NDArray[np.int64], NDArray[np.float32]]


class Quality:
    """Accuracy of labels, agreement with the labels of fp32, and the class whose recall falls most."""

    name = "accuracy"
    block = 1

    def __init__(self, schema: DataSchema) -> None:
        self._classes = schema.classes
        self._rows = np.zeros(len(self._classes), np.int64)
        self._hits = np.zeros((2, len(self._classes)), np.int64)
        self._lost: list[NDArray[np.int8]] = []
        self._agreed = 0

    def add(self, targets: NDArray[np.int64], outputs: Answer, expected: Answer) -> None:
        """Count a batch: true classes, (label, probabilities) of the graph, and those of fp32."""
        label, reference = outputs[0], expected[0]
        count = len(self._classes)
        self._rows += np.bincount(targets, minlength=count)
        self._hits[0] += np.bincount(targets[label == targets], minlength=count)
        self._hits[1] += np.bincount(targets[reference == targets], minlength=count)
        self._lost.append((reference == targets).astype(np.int8) - (label == targets).astype(np.int8))
        self._agreed += int((label == reference).sum())

    def lost(self) -> NDArray[np.int8]:
        """1 for a row that fp32 alone answers right, -1 for one that it alone answers wrong, else 0."""
        return np.concatenate(self._lost)

    def score(self) -> float:
        """Share of rows with the right label."""
        return float(self._hits[0].sum() / self._rows.sum())

    def agreement(self) -> float:
        """Share of rows with the label of fp32."""
        return float(self._agreed / self._rows.sum())

    def details(self) -> dict[str, str | float]:
        """The class whose recall falls most against fp32, and by how much."""
        lost = (self._hits[1] - self._hits[0]) / np.maximum(self._rows, 1)
        worst = int(lost.argmax())
        return {"worst_class": self._classes[worst], "worst_class_drop": round(float(lost[worst]), 6)}
