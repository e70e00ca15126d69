"""The rows of a processed split, however they are stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.data.schema import DataSchema
from stagewise.data.storage import SplitReader

Indices = NDArray[np.int64]


class Rows(Protocol):
    """Inputs, targets and ids of one split, gathered in whole batches out of a memory map; pickles without its data."""

    @property
    def lengths(self) -> Indices | None:
        """Length of every row where it varies, so that batches can be made of rows of like length."""

    def __len__(self) -> int: ...

    def take(self, indices: Indices) -> NDArray[Any]:
        """Inputs ``(n, ...)``; rows of varying length are padded with zeros to the longest of these."""

    def take_targets(self, indices: Indices) -> NDArray[Any]:
        """Targets ``(n,)`` or ``(n, ...)``."""

    def ids(self, indices: Indices) -> list[str]:
        """Names of the rows."""

    def batches(self, size: int) -> Iterator[tuple[Indices, NDArray[Any], NDArray[Any]]]:
        """Yield (indices, inputs, targets) of ``size`` rows at a time, in order; the last may be shorter."""


class StoredRows(SplitReader):
    """Rows that lie in their file one by one, of one shape or ragged.

    Raises:
        DataError: the file is missing, damaged, or does not hold what the schema says.
    """

    def __init__(self, path: Path, schema: DataSchema) -> None:
        super().__init__(path, row_shape(schema))
        self._schema = schema

    def __reduce__(self) -> Any:
        return type(self), (self._path, self._schema)


def open_rows(rows: Target, folder: Path, schema: DataSchema, split: str) -> Rows:
    """The rows of ``split`` in a processed folder, read by the class that the feature names (``rows``).

    Raises:
        DataError: the file is missing, damaged, or does not hold what the schema says.
    """
    opened: Rows = build(rows, path=folder / schema.splits[split].file, schema=schema)
    return opened


def row_shape(schema: DataSchema) -> tuple[int, ...] | None:
    """Shape of every stored row; None where rows have any length."""
    if schema.feature.storage == "ragged":
        return None
    return tuple(side for side in schema.feature.shape if side is not None)
