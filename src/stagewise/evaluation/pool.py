"""Training and validation rows as one pool, and folders that hold another split of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.digests import file_sha256
from stagewise.data.layout import Block, Layout
from stagewise.data.rows import row_shape
from stagewise.data.schema import DataSchema, SplitInfo, write_schema
from stagewise.data.statistics import ChannelSums, Statistics
from stagewise.data.storage import SplitReader, SplitWriter

Indices = NDArray[np.int64]
_CHUNK = 4096


class Pool:
    """The rows of the training split followed by those of the validation split; never the test rows.

    Args:
        processed: data/processed.
        schema: its schema.
        copies: augmented copies of each training row; preprocess writes them after all the rows themselves.

    Attributes:
        rows: places of the rows that are no copies, ascending.
        targets: of every place, copies included.
    """

    def __init__(self, processed: Path, schema: DataSchema, copies: int) -> None:
        self.schema = schema
        shape = row_shape(schema)
        names = [name for name in ("train", "validation") if name in schema.splits]
        self._readers = [SplitReader(processed / schema.splits[name].file, shape) for name in names]
        self._starts = np.cumsum([0, *(len(reader) for reader in self._readers)])
        self.targets: NDArray[Any] = np.concatenate([reader.targets for reader in self._readers])
        self._copies, self._originals = copies, len(self._readers[0]) // (1 + copies)
        self.rows: Indices = np.r_[: self._originals, len(self._readers[0]) : len(self.targets)]

    def with_copies(self, indices: Indices) -> Indices:
        """These rows and their copies, ascending: a copy never leaves its row's side."""
        copied = indices[indices < self._originals]
        return np.sort(np.concatenate([indices, *(copied + n * self._originals for n in range(1, self._copies + 1))]))

    @property
    def layout(self) -> Layout:
        """Of the rows."""
        return Layout(np.dtype(self.schema.feature.dtype), row_shape(self.schema))

    def take(self, indices: Indices) -> tuple[Block, list[str]]:
        """Values and ids of these rows; ``indices`` ascend."""
        cuts = np.split(indices, np.searchsorted(indices, self._starts[1:-1]))
        parts = [(r, cut - start) for r, cut, start in zip(self._readers, cuts, self._starts[:-1], strict=True)]
        blocks = [reader.block(part) for reader, part in parts]
        names = [name for reader, part in parts for name in reader.ids(part)]
        if self.layout.shape is None:
            return [row for block in blocks for row in block], names
        return np.concatenate(blocks), names


def write_view(pool: Pool, splits: dict[str, Indices], folder: Path) -> DataSchema:
    """Write a processed folder whose splits are these rows of the pool.

    Images are normalised by the training rows of this view. Whatever else preprocess learned from its training rows
    (a vocabulary, the statistics of columns) stays as it was. Training rows bring their copies along, which take no
    part in the normalisation.
    """
    feature = pool.schema.feature
    if feature.dtype == "uint8" and pool.layout.shape is not None:
        fitted = _fit_normalisation(pool, splits["train"])
        feature = feature.model_copy(update={"mean": fitted.mean, "std": fitted.std})
    splits = {**splits, "train": pool.with_copies(splits["train"])}
    infos = {name: _write_split(pool, indices, folder / f"{name}.arrow") for name, indices in splits.items()}
    schema = pool.schema.model_copy(update={"features": [feature], "splits": infos})
    write_schema(schema, folder)
    return schema


def _fit_normalisation(pool: Pool, indices: Indices) -> Statistics:
    sums = ChannelSums((pool.layout.shape or (1,))[-1])
    for part in _chunks(indices):
        sums.add(np.asarray(pool.take(part)[0]))
    return sums.statistics()


def _chunks(indices: Indices) -> Iterator[Indices]:
    """Cut into parts that fit in memory."""
    for begin in range(0, len(indices), _CHUNK):
        yield indices[begin : begin + _CHUNK]


def _write_split(pool: Pool, indices: Indices, path: Path) -> SplitInfo:
    with SplitWriter(path, pool.layout, _CHUNK, pool.targets.dtype) as writer:
        for part in _chunks(indices):
            values, ids = pool.take(part)
            writer.write(values, pool.targets[part], ids)
    counts = None
    if pool.schema.splits["train"].class_counts is not None:
        counts = np.bincount(pool.targets[indices], minlength=pool.schema.target.outputs).tolist()
    return SplitInfo(file=path.name, rows=len(indices), sha256=file_sha256(path), class_counts=counts)
