"""The one pass over the raw data: every row is read, encoded and spooled, and its facts are noted."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stagewise.data.sample import Sample
from stagewise.data.schema import SPLITS, Feature
from stagewise.data.splits import UNPUBLISHED
from stagewise.data.statistics import Statistics
from stagewise.data.storage import SplitWriter
from stagewise.errors import DataError

EXAMPLES = 5
"""Most examples that are kept of anything."""


class Encoder(Protocol):
    """How a raw value becomes the stored array (``data.feature``)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of every stored array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of every stored array."""

    def encode(self, value: NDArray[Any]) -> NDArray[Any]:
        """The stored array, or a ValueError with the reason."""

    def describe(self, statistics: Statistics) -> Feature:
        """The entry of schema.json."""


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
    labels: list[str | int]
    """The distinct labels, by first appearance."""
    codes: NDArray[np.int64]
    """Place in ``labels`` of each row's label."""
    published: NDArray[np.int8]
    """Published split number, or UNPUBLISHED."""
    digests: NDArray[np.uint64]
    """(n, 2): 16 bytes of BLAKE2b of the encoded value."""
    constant: NDArray[np.bool_]
    """Whether all values of the row are equal."""


def survey(reader: Iterable[Sample], feature: Encoder, spool: Path, rows_per_batch: int) -> Survey:
    """Read all samples, spool the encoded ones to the file ``spool`` (target: the label's code), note their facts.

    Memory: ``rows_per_batch`` encoded rows and some 26 bytes per row.

    Raises:
        DataError: a structural mistake in the raw data, or a split of unknown name.
    """
    notes = _Notes()
    with SplitWriter(spool, feature.shape, feature.dtype, rows_per_batch) as writer:
        for sample in reader:
            notes.rows_read += 1
            value = notes.accept(sample, feature)
            if value is not None:
                writer.write(value[None], np.array([notes.note(sample, value)]), [sample.id])
    return notes.survey(spool)


class _Notes:
    def __init__(self) -> None:
        self.rows_read = 0
        self._rejected = {check: Tally() for check in ("readable", "dtype", "shape", "channels", "missing")}
        self._places: dict[str | int, int] = {}
        self._codes = array("q")
        self._published = array("b")
        self._digests = bytearray()
        self._constant = bytearray()

    def accept(self, sample: Sample, feature: Encoder) -> NDArray[Any] | None:
        """The encoded value, or None after noting why there is none."""
        if sample.error is not None:
            self._rejected["readable"].add(f"{sample.id}: {sample.error}")
        elif sample.value is None:
            self._rejected["missing"].add(f"{sample.id}: no value")
        elif sample.label is None or sample.label == "":
            self._rejected["missing"].add(f"{sample.id}: no label")
        else:
            try:
                return feature.encode(sample.value)
            except ValueError as error:
                self._rejected[getattr(error, "check", "readable")].add(f"{sample.id}: {error}")
        return None

    def note(self, sample: Sample, value: NDArray[Any]) -> int:
        """Note an accepted row; returns its label's code."""
        # accept() let no None through; a numpy integer becomes an int.
        label = sample.label if isinstance(sample.label, str) else int(sample.label or 0)
        code = self._places.setdefault(label, len(self._places))
        self._codes.append(code)
        self._published.append(_split_number(sample))
        self._digests += blake2b(value.tobytes(), digest_size=16).digest()
        self._constant.append(bool(value.min() == value.max()))
        return code

    def survey(self, spool: Path) -> Survey:
        return Survey(
            spool=spool,
            rows_read=self.rows_read,
            rejected=self._rejected,
            labels=list(self._places),
            codes=np.frombuffer(self._codes, np.int64),
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
