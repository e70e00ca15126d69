"""Streams the spool into one file per split, with the augmented copies of the training rows."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.digests import file_sha256
from stagewise.data.augmented import Augmenter
from stagewise.data.examine import Examination
from stagewise.data.features.encoder import Encoder
from stagewise.data.layout import Block
from stagewise.data.schema import SPLITS, SplitInfo
from stagewise.data.splits import TRAIN
from stagewise.data.storage import SplitWriter, scan

_Rows = Iterator[tuple[int, Block, NDArray[Any], list[str]]]


def fit_feature(spool: Path, feature: Encoder, result: Examination) -> None:
    """Show the feature the training rows, and only those."""
    feature.fit((values, targets) for split, values, targets, _ in _rows(spool, feature, result) if split == TRAIN)


def write_splits(
    spool: Path,
    feature: Encoder,
    result: Examination,
    out: Path,
    rows_per_batch: int,
    augmenter: Augmenter | None = None,
    copies: int = 0,
) -> None:
    """Write train.arrow, validation.arrow and test.arrow into ``out``; rows keep the spool's order.

    After the training rows come ``copies`` augmented copies of each, with ids ``<id>#copy<number>``.
    """
    dtype = result.targets.values.dtype
    with ExitStack() as stack:
        writers = [
            stack.enter_context(SplitWriter(_file(out, name), feature.stored, rows_per_batch, dtype)) for name in SPLITS
        ]
        for split, values, targets, ids in _rows(spool, feature, result):
            writers[split].write(feature.encode(values), targets, ids)
        if augmenter is not None:
            for copy in range(1, copies + 1):
                rows = _rows(spool, feature, result)
                _write_copies(writers[TRAIN], rows, feature, augmenter, copy, len(result.classes))


def describe_split(out: Path, name: str, result: Examination, copies: int = 0) -> SplitInfo:
    """The schema's entry of a split that ``write_splits`` wrote."""
    counts = result.counts(SPLITS.index(name)) * (1 + copies if name == "train" else 1)
    path = _file(out, name)
    known = counts.tolist() if result.targets.classes is not None else None
    return SplitInfo(file=path.name, rows=int(counts.sum()), sha256=file_sha256(path), class_counts=known)


def _rows(spool: Path, feature: Encoder, result: Examination) -> _Rows:
    """(split, spooled values, targets, ids) of the rows of each split in each spooled record batch."""
    begin = 0
    for values, labels, ids in scan(spool, feature.spooled):
        end = begin + len(labels)
        for split in range(len(SPLITS)):
            rows = np.flatnonzero(result.splits[begin:end] == split)
            if len(rows):
                chosen = values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]
                yield split, chosen, result.targets.values[begin:end][rows], [ids[row] for row in rows]
        begin = end


def _write_copies(
    writer: SplitWriter, rows: _Rows, feature: Encoder, augmenter: Augmenter, copy: int, classes: int
) -> None:
    begin = 0
    for split, values, targets, ids in rows:
        if split == TRAIN:
            index = np.arange(begin, begin + len(ids), dtype=np.int64)
            begin += len(ids)
            names = [f"{name}#copy{copy}" for name in ids]
            writer.write(augmenter(np.asarray(feature.encode(values)), targets, index, copy, classes), targets, names)


def _file(out: Path, split: str) -> Path:
    return out / f"{split}.arrow"
