"""Streams the spool into one file per split, with the augmented copies of the training rows."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.data.augmented import Augmenter
from stagewise.data.examine import Examination
from stagewise.data.schema import SPLITS, SplitInfo
from stagewise.data.splits import TRAIN
from stagewise.data.statistics import ChannelSums, Statistics
from stagewise.data.storage import SplitWriter, scan
from stagewise.data.survey import Encoder

_Rows = Iterator[tuple[int, NDArray[Any], NDArray[np.int64], list[str]]]


def write_splits(
    spool: Path,
    feature: Encoder,
    result: Examination,
    out: Path,
    rows_per_batch: int,
    augmenter: Augmenter | None = None,
    copies: int = 0,
) -> Statistics:
    """Write train.arrow, validation.arrow and test.arrow into ``out``; rows keep the spool's order.

    After the training rows come ``copies`` augmented copies of each, with ids ``<id>#copy<number>``.
    The statistics returned are those of the training rows without their copies.
    """
    sums = ChannelSums(feature.shape[-1])
    with ExitStack() as stack:
        writers = [
            stack.enter_context(SplitWriter(_file(out, name), feature.shape, feature.dtype, rows_per_batch))
            for name in SPLITS
        ]
        for split, values, targets, ids in _rows(spool, feature, result):
            writers[split].write(values, targets, ids)
            if split == TRAIN:
                sums.add(values)
        if augmenter is not None:
            for copy in range(1, copies + 1):
                rows = _rows(spool, feature, result)
                _write_copies(writers[TRAIN], rows, augmenter, copy, len(result.classes))
    return sums.statistics()


def describe_split(out: Path, name: str, result: Examination, copies: int = 0) -> SplitInfo:
    """The schema's entry of a split that ``write_splits`` wrote."""
    counts = result.counts(SPLITS.index(name)) * (1 + copies if name == "train" else 1)
    path = _file(out, name)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return SplitInfo(file=path.name, rows=int(counts.sum()), sha256=digest, class_counts=counts.tolist())


def _rows(spool: Path, feature: Encoder, result: Examination) -> _Rows:
    """(split, values, class numbers, ids) of the rows of each split in each spooled record batch."""
    begin = 0
    for values, codes, ids in scan(spool, feature.shape):
        end = begin + len(codes)
        for split in range(len(SPLITS)):
            rows = np.flatnonzero(result.splits[begin:end] == split)
            if len(rows):
                yield split, values[rows], result.targets[begin:end][rows], [ids[row] for row in rows]
        begin = end


def _write_copies(writer: SplitWriter, rows: _Rows, augmenter: Augmenter, copy: int, classes: int) -> None:
    begin = 0
    for split, values, targets, ids in rows:
        if split == TRAIN:
            index = np.arange(begin, begin + len(ids), dtype=np.int64)
            begin += len(ids)
            names = [f"{name}#copy{copy}" for name in ids]
            writer.write(augmenter(values, targets, index, copy, classes), targets, names)


def _file(out: Path, split: str) -> Path:
    return out / f"{split}.arrow"
