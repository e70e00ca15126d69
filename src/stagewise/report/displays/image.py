"""Images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.data.schema import DataSchema


class ImageDisplay:
    """The pixels themselves."""

    draws = True

    def __init__(self, schema: DataSchema) -> None:
        """Any shape will do."""

    def text(self, row: NDArray[Any]) -> str:  # noqa: ARG002
        """Nothing: the picture says it."""
        return ""

    def picture(self, row: NDArray[Any]) -> NDArray[np.uint8]:
        """The row as it is."""
        return row
