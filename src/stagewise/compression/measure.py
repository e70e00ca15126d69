"""What each candidate costs and is worth: accuracy on the validation split, agreement with fp32, bytes."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stagewise.compression.session import GraphSession
from stagewise.data.storage import SplitReader

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one candidate; all of them repeat exactly."""

    accuracy: float
    """On the validation split."""
    accuracy_drop: float
    """Accuracy of fp32 minus this one; negative when this one is better."""
    agreement: float
    """Share of validation rows that get the label that fp32 gives."""
    worst_class: str
    """The class whose recall falls most against fp32."""
    worst_class_drop: float
    """By how much it falls."""
    largest_difference: float
    """Of any probability of any row against fp32."""
    bytes: int
    size_ratio: float
    """Bytes as a share of those of fp32."""
    sha256: str


def measure(
    paths: dict[str, Path], baseline: str, rows: SplitReader, classes: list[str], *, threads: int, batch_size: int = 256
) -> dict[str, Quality]:
    """Run every graph over all ``rows`` (at least one), in one pass whose memory is bounded by a batch.

    Args:
        paths: graph of each candidate.
        baseline: name of the one that the others are compared with.
    """
    sessions = {name: GraphSession(path, threads) for name, path in paths.items()}
    tallies = {name: _Tally(len(classes)) for name in paths}
    for _, images, targets in rows.batches(batch_size):
        expected = sessions[baseline](images)
        for name, session in sessions.items():
            answer = expected if name == baseline else session(images)
            tallies[name].add(targets, answer, expected)
    totals = np.bincount(rows.targets, minlength=len(classes))
    reference = (tallies[baseline], paths[baseline].stat().st_size)
    return {name: _quality(tallies[name], path, reference, totals, classes) for name, path in paths.items()}


def write_frontier(qualities: dict[str, Quality], chosen: str, path: Path) -> None:
    """Write frontier.csv, smallest candidate first: what ``dvc plots`` draws as accuracy over bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["candidate", "bytes", "accuracy", "agreement", "chosen"])
        for name, item in sorted(qualities.items(), key=lambda pair: (pair[1].bytes, pair[0])):
            writer.writerow([name, item.bytes, item.accuracy, item.agreement, int(name == chosen)])


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


Answer = tuple[NDArray[np.int64], NDArray[np.float32]]


class _Tally:
    """Counts of one candidate over the rows seen so far."""

    def __init__(self, classes: int) -> None:
        self.hits = np.zeros(classes, np.int64)
        self.agreed = 0
        self.largest = 0.0

    def add(self, targets: NDArray[np.int64], answer: Answer, expected: Answer) -> None:
        label, probabilities = answer
        self.hits += np.bincount(targets[label == targets], minlength=len(self.hits))
        self.agreed += int((label == expected[0]).sum())
        self.largest = max(self.largest, float(np.abs(probabilities - expected[1]).max()))


def _quality(
    tally: _Tally, path: Path, reference: tuple[_Tally, int], totals: NDArray[np.int64], classes: list[str]
) -> Quality:
    baseline, baseline_bytes = reference
    rows, size = int(totals.sum()), path.stat().st_size
    lost = (baseline.hits - tally.hits) / np.maximum(totals, 1)
    worst = int(lost.argmax())
    return Quality(
        accuracy=_share(int(tally.hits.sum()), rows),
        accuracy_drop=_share(int(baseline.hits.sum() - tally.hits.sum()), rows),
        agreement=_share(tally.agreed, rows),
        worst_class=classes[worst],
        worst_class_drop=round(float(lost[worst]), _DIGITS),
        largest_difference=round(tally.largest, _DIGITS),
        bytes=size,
        size_ratio=_share(size, baseline_bytes),
        sha256=sha256(path),
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, _DIGITS)
