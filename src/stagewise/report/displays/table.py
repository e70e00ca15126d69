"""Rows of tables."""

from typing import Any

from numpy.typing import NDArray

from stagewise.data.schema import DataSchema
from stagewise.runtime.table import to_record


class TableDisplay:
    """Every column with its value."""

    draws = False

    def __init__(self, schema: DataSchema) -> None:
        self._feature = schema.feature.model_dump(mode="json")

    def text(self, row: NDArray[Any]) -> str:
        """``column: value`` of a row ``(F,)``; missing values are left out."""
        record = to_record(row, self._feature)
        return ", ".join(f"{name}: {value}" for name, value in record.items() if value is not None)

    def picture(self, row: NDArray[Any]) -> None:
        """None."""
