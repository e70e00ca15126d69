"""What each candidate costs and is worth: the task's figure on the validation split, agreement with fp32, bytes."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stagewise.compression.cost.size import compressed_bytes
from stagewise.compression.session import GraphSession
from stagewise.config.digests import file_sha256
from stagewise.data.rows import Rows
from stagewise.metrics.paired import paired_interval

Outputs = tuple[NDArray[Any], ...]
_DIGITS = 6


class QualityMeter(Protocol):
    """How much a task's answers are worth; built with ``schema`` for every candidate (``task.quality``)."""

    name: str
    """Of the figure; higher is better."""
    block: int
    """Neighbouring rows that depend on each other; 1 where rows are independent."""

    def add(self, targets: NDArray[Any], outputs: Outputs, expected: Outputs) -> None:
        """Count a batch: what is true, the graph's outputs, and those of the baseline."""

    def score(self) -> float:
        """The figure over all rows so far."""

    def lost(self) -> NDArray[Any]:
        """Per row what it adds to the drop, ``(n,)``: the mean is the baseline's score minus this one.

        Integers -1, 0 and 1 where the figure is a share of right answers.
        """

    def agreement(self) -> float:
        """Share of rows whose answer is that of the baseline."""

    def details(self) -> dict[str, str | float]:
        """What else the task says of a candidate, by name."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one candidate; all of them repeat exactly."""

    score: float
    """The task's figure (accuracy, r2, ...) on the validation split."""
    drop: float
    """Score of the baseline minus this one; negative when this one is better."""
    drop_low: float
    drop_high: float
    """What the drop may be in truth: one-sided bounds at the asked confidence, over the rows, paired; the drop itself
    where none is asked."""
    agreement: float
    """Share of validation rows that get the answer that the baseline gives."""
    largest_difference: float
    """Of any number of any row against the baseline."""
    bytes: int
    compressed_bytes: int
    """After zstd: what a download of it takes."""
    size_ratio: float
    """Bytes as a share of those of the baseline."""
    sha256: str
    details: dict[str, str | float]
    """What the task adds."""


def measure(
    paths: dict[str, Path],
    baseline: str,
    rows: Rows,
    meter: Callable[[], QualityMeter],
    *,
    threads: int,
    confidence: float | None,
    batch_size: int = 256,
) -> dict[str, Quality]:
    """Run every graph over all ``rows`` (at least one), in one pass whose memory is bounded by a batch.

    Args:
        paths: graph of each candidate.
        baseline: name of the one that the others are compared with.
        meter: makes what counts the answers of one candidate.
        confidence: of the bounds of the drop.
    """
    sessions = {name: GraphSession(path, threads) for name, path in paths.items()}
    meters = {name: meter() for name in paths}
    largest = dict.fromkeys(paths, 0.0)
    for _, batch, targets in rows.batches(batch_size):
        expected = sessions[baseline](batch)
        for name, session in sessions.items():
            outputs = expected if name == baseline else session(batch)
            meters[name].add(targets, outputs, expected)
            largest[name] = max(largest[name], _largest_difference(outputs, expected))
    reference = (meters[baseline].score(), paths[baseline].stat().st_size)
    # The baseline is itself: that no row changed is no luck of these rows.
    levels = {name: None if name == baseline else confidence for name in paths}
    return {name: _quality(meters[name], largest[name], path, reference, levels[name]) for name, path in paths.items()}


def write_frontier(qualities: dict[str, Quality], chosen: str, path: Path) -> None:
    """Write frontier.csv, smallest candidate first: what ``dvc plots`` draws as score over bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["candidate", "bytes", "compressed_bytes", "score", "drop_high", "agreement", "chosen"])
        for name, item in sorted(qualities.items(), key=lambda pair: (pair[1].bytes, pair[0])):
            figures = [item.bytes, item.compressed_bytes, item.score, item.drop_high, item.agreement]
            writer.writerow([name, *figures, int(name == chosen)])


def _largest_difference(outputs: Outputs, expected: Outputs) -> float:
    pairs = [(a, b) for a, b in zip(outputs, expected, strict=True) if a.dtype.kind == "f"]
    return max((float(np.abs(a - b).max()) for a, b in pairs), default=0.0)


def _quality(
    meter: QualityMeter, largest: float, path: Path, reference: tuple[float, int], confidence: float | None
) -> Quality:
    baseline, baseline_bytes = reference
    size, drop = path.stat().st_size, baseline - meter.score()
    low, high = (drop, drop) if confidence is None else paired_interval(meter.lost(), 1 - confidence, meter.block)
    return Quality(
        score=round(meter.score(), _DIGITS),
        drop=round(drop, _DIGITS),
        drop_low=round(low, _DIGITS),
        drop_high=round(high, _DIGITS),
        agreement=round(meter.agreement(), _DIGITS),
        largest_difference=round(largest, _DIGITS),
        bytes=size,
        compressed_bytes=compressed_bytes(path),
        size_ratio=round(size / baseline_bytes, _DIGITS),
        sha256=file_sha256(path),
        details=meter.details(),
    )
