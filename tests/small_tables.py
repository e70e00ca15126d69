"""Small tables whose numbers, codes and gaps are known, as schema entries and rows in memory."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from stagewise.data.features.table_entry import PROBABILITIES, ColumnEntry, TableEntry
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, TargetEntry
from stagewise.data.targets.entries import NumberEntry


class MemoryRows:
    """The protocol of ``stagewise.data.rows.Rows``, over arrays."""

    lengths = None

    def __init__(self, values: Any, targets: Any, name: str = "row") -> None:
        self.values, self.targets = np.asarray(values, np.float32), np.asarray(targets)
        self._name = name

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Any) -> Any:
        return self.values[indices]

    def take_targets(self, indices: Any) -> Any:
        return self.targets[indices]

    def ids(self, indices: Any) -> list[str]:
        return [f"{self._name}#{index}" for index in indices]

    def batches(self, size: int) -> Iterator[tuple[Any, Any, Any]]:
        for begin in range(0, len(self), size):
            indices = np.arange(begin, min(begin + size, len(self)))
            yield indices, self.take(indices), self.targets[indices]


def number_column(name: str, values: Any) -> ColumnEntry:
    """A column of numbers, NaN where one is missing, with the figures of these values."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return ColumnEntry(
        name=name,
        source=name,
        type="number",
        decided="inferred",
        missing=len(values) - len(known),
        minimum=float(known.min()),
        maximum=float(known.max()),
        mean=float(known.mean()),
        std=float(known.std()) or 1.0,
        median=float(np.median(known)),
        quantiles=np.quantile(known, PROBABILITIES).tolist(),
    )


def category_column(name: str, categories: list[str], *, missing: bool = False) -> ColumnEntry:
    """A column of codes: 0 for others, one per category, and a last one for missing values where there are any."""
    codes = 1 + len(categories) + missing
    return ColumnEntry(
        name=name,
        source=name,
        type="category",
        decided="confirmed",
        missing=int(missing),
        categories=categories,
        codes=codes,
        missing_code=codes - 1 if missing else None,
        counts=[1] * codes,
    )


def table_schema(columns: list[ColumnEntry], target: TargetEntry, rows: int = 10, **splits: int) -> DataSchema:
    """A schema of these columns; ``splits`` gives the rows of each split."""
    table = TableEntry(
        shape=(len(columns),), columns=columns, dropped={"fnlwgt": "data.feature.drop"}, na=["?"], rows=rows
    )
    counts = [1] * len(target.classes) if isinstance(target, ClassTarget) else None
    infos = {
        name: SplitInfo(file=f"{name}.arrow", rows=count, sha256="0" * 64, class_counts=counts)
        for name, count in ({"train": rows} | splits).items()
    }
    return DataSchema(name="small", features=[table], target=target, splits=infos)


def two_classes() -> ClassTarget:
    return ClassTarget(name="income", classes=["low", "high"], outputs=2)


def number_target(values: Any, transform: Any = "none", unit: str = "USD") -> NumberEntry:
    """The entry of these training targets."""
    values = np.asarray(values, np.float64)
    used = np.log1p(values) if transform == "log1p" else values
    return NumberEntry(
        name="price",
        unit=unit,
        transform=transform,
        mean=float(used.mean()),
        std=float(used.std()) or 1.0,
        minimum=float(values.min()),
        maximum=float(values.max()),
    )


def people(rows: int, seed: int = 0) -> tuple[Any, Any, list[ColumnEntry]]:
    """(values ``(n, 4)``, a score per row, columns): age, hours with gaps, sex, and region with a missing code.

    The score rises with age, hours and the region, and is the same for both sexes.
    """
    draw = np.random.default_rng(seed)
    age, hours = draw.normal(40, 12, rows), draw.normal(38, 9, rows)
    sex, region = draw.integers(1, 3, rows), draw.integers(0, 4, rows)
    score = (age - 40) / 12 + np.sin(hours / 3) + (region == 2) + draw.normal(0, 0.3, rows)
    hours[draw.random(rows) < 0.1] = np.nan
    values = np.column_stack([age, hours, sex, region]).astype(np.float32)
    columns = [
        number_column("age", age),
        number_column("hours", hours),
        category_column("sex", ["female", "male"]),
        category_column("region", ["north", "south"], missing=True),
    ]
    return values, score, columns
