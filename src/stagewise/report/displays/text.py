"""Texts."""

from typing import Any

from numpy.typing import NDArray

from stagewise.data.schema import DataSchema
from stagewise.runtime.text import Reader


class TextDisplay:
    """The words that the network saw, put together from their tokens."""

    draws = False

    def __init__(self, schema: DataSchema) -> None:
        self._reader = Reader(schema.feature.model_dump(mode="json"))

    def text(self, row: NDArray[Any]) -> str:
        """The tokens of a row ``(L,)`` as text, without padding; unknown words stay marked."""
        return self._reader.text(row)

    def picture(self, row: NDArray[Any]) -> None:
        """None."""
