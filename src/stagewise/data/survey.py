"""The one pass over the raw data: every row is read, encoded and spooled, and its facts are noted."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.data.features.encoder import Encoder
from stagewise.data.layout import Layout
from stagewise.data.sample import Sample
from stagewise.data.schema import SPLITS
from stagewise.data.splits import UNPUBLISHED
from stagewise.data.storage import SplitWriter
from stagewise.data.targets.encoder import TargetEncoder
from stagewise.errors import DataError

EXAMPLES = 5
"""Most examples that are kept of anything."""


@dataclass(slots=True)
class Tally:
    """How often something was found, with the first few examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass(frozen=True, slots=True)
class Survey:
    """Facts of every row in the spool file, one entry each, in the reader's order."""

    spool: Path
    rows_read: int
    """Rows of the raw data, with those that could not be spooled."""
    rejected: dict[str, Tally]
    """What could not be spooled, by check (``readable``, ``dtype``, ``shape``, ``channels``, ``missing``)."""
    labels: NDArray[Any]
    """What the target made of each row's label."""
    published: NDArray[np.int8]
    """Published split number, or UNPUBLISHED."""
    digests: NDArray[np.uint64]
    """(n, 2): 16 bytes of BLAKE2b of the encoded value."""
    constant: NDArray[np.bool_]
    """Whether all values of the row are equal."""


def survey(
    reader: Iterable[Sample], feature: Encoder, target: TargetEncoder, spool: Path, rows_per_batch: int
) -> Survey:
    """Read all samples, spool what the feature accepts to the file ``spool``, note the facts of every row.

    Memory: ``rows_per_batch`` rows and some 26 bytes per row.

    Raises:
        DataError: a structural mistake in the raw data, or a split of unknown name.
    """
    notes = _Notes(feature.spooled, target.dtype)
    with SplitWriter(spool, feature.spooled, rows_per_batch, target.dtype) as writer:
        for sample in reader:
            notes.rows_read += 1
            accepted = notes.accept(sample, feature, target)
            if accepted is not None:
                value, label = accepted
                notes.note(sample, value, label)
                writer.write([value] if feature.spooled.shape is None else value[None], np.array([label]), [sample.id])
    return notes.survey(spool)


class _Notes:
    def __init__(self, layout: Layout, target: np.dtype[Any]) -> None:
        self.rows_read = 0
        self._rejected = {check: Tally() for check in ("readable", "dtype", "shape", "channels", "missing")}
        self._fixed = layout.shape is not None
        self._dtype = target
        self._labels: array[Any] = array(target.char)
        self._published = array("b")
        self._digests = bytearray()
        self._constant = bytearray()

    def accept(
        self, sample: Sample, feature: Encoder, target: TargetEncoder
    ) -> tuple[NDArray[Any], int | float] | None:
        """The row and the label to spool, or None after noting why there are none."""
        if sample.error is not None:
            self._rejected["readable"].add(f"{sample.id}: {sample.error}")
        elif sample.value is None:
            self._rejected["missing"].add(f"{sample.id}: no value")
        elif sample.label is None or sample.label == "":
            self._rejected["missing"].add(f"{sample.id}: no label")
        else:
            try:
                return feature.check(sample.value), target.check(sample.label)
            except ValueError as error:
                self._rejected[getattr(error, "check", "readable")].add(f"{sample.id}: {error}")
        return None

    def note(self, sample: Sample, value: NDArray[Any], label: int | float) -> None:
        """Note an accepted row."""
        self._labels.append(label)
        self._published.append(_split_number(sample))
        self._digests += blake2b(value.tobytes(), digest_size=16).digest()
        self._constant.append(self._fixed and bool(value.min() == value.max()))

    def survey(self, spool: Path) -> Survey:
        return Survey(
            spool=spool,
            rows_read=self.rows_read,
            rejected=self._rejected,
            labels=np.frombuffer(self._labels, self._dtype),
            published=np.frombuffer(self._published, np.int8),
            digests=np.frombuffer(self._digests, np.uint64).reshape(-1, 2),
            constant=np.frombuffer(self._constant, np.bool_),
        )


def _split_number(sample: Sample) -> int:
    if sample.split is None:
        return UNPUBLISHED
    if sample.split not in SPLITS:
        raise DataError(f"a row is in the split {sample.split!r}", where=sample.id, fix=f"use {', '.join(SPLITS)}")
    return SPLITS.index(sample.split)
