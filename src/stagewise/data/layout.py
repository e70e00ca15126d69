"""How rows lie in an Arrow file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Block = NDArray[Any] | list[NDArray[Any]]
"""Some rows: an array ``(n, *shape)`` of a fixed layout, or n arrays of one axis each of a ragged one."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Dtype and shape of every row.

    Attributes:
        shape: None for rows of one axis and any length (ragged), which are padded with zeros when read.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...] | None

    @property
    def row_bytes(self) -> int:
        """Bytes of one row; 1 where they are not known beforehand."""
        return 1 if self.shape is None else int(np.prod(self.shape)) * self.dtype.itemsize
