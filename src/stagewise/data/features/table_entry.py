"""What schema.json says of tables, typed."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt

from stagewise.data.schema import Feature

PROBABILITIES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""The probabilities of ``ColumnEntry.quantiles``."""

ColumnType = Literal["number", "date", "category"]
"""How a stored column is to be read."""


class ColumnEntry(BaseModel):
    """One stored column. All counts and figures are those of the training rows."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str
    """Unique; ``source``, or ``source.month`` and the like for a part of a date."""
    source: str
    """The column of the table that it is made from."""
    type: ColumnType
    """number: as it is; date: days since 1970-01-01; category: a code below ``codes``."""
    part: Literal["month", "weekday", "hour"] | None = None
    """Which part of a date the category is."""
    decided: Literal["inferred", "confirmed"]
    """Whether a person wrote the type into the config."""
    unit: str = ""
    missing: NonNegativeInt
    """Rows without a value. A number or date is NaN there."""
    minimum: float | None = None
    """Of numbers and dates, as all figures down to ``quantiles``."""
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    """1 where the numbers do not vary."""
    median: float | None = None
    quantiles: list[float] = []
    """At ``PROBABILITIES``."""
    categories: list[str] = []
    """Codes 1, 2, ... in this order. Code 0 is any other: rare, or never seen."""
    missing_code: PositiveInt | None = None
    """The last code, where values are missing in training; without one a missing value has code 0."""
    codes: NonNegativeInt = 0
    """How many codes a category column has, with 0 and the missing one."""
    counts: list[NonNegativeInt] = []
    """Rows by code. Where that of code 0 is 0, no row has taught the model what to make of other categories."""


class TableEntry(Feature):
    """Float32 rows: numbers first, then dates, then categories, each in the order of the table."""

    name: str = "table"
    kind: str = "table"
    dtype: Literal["float32"] = "float32"
    shape: tuple[PositiveInt]
    """(F,): one number per entry of ``columns``."""
    layout: Literal["column"] = "column"
    columns: list[ColumnEntry]
    dropped: dict[str, str]
    """Columns of the table that do not enter, and why."""
    na: list[str]
    """Texts that say that a value is missing."""
    rows: PositiveInt
    """Training rows that all figures are of."""

    @property
    def numbers(self) -> int:
        """How many leading columns are numbers or dates; the others are categories."""
        return sum(column.type != "category" for column in self.columns)
