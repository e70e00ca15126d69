"""From what a column holds to its type, and from its type to what is stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stagewise.data.features.table_entry import ColumnEntry, ColumnType
from stagewise.data.tables.facts import PARTS, Facts, Part, keep_categories

MIXED = 0.9
"""From this share of numbers (or dates) on, what else a column holds is a mistake rather than a category."""
FEW = 50
"""So many different values may be categories even if most are numbers."""


class MixedError(ValueError):
    """A column holds numbers (or dates) for the most part, and then something else."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Which categories get a code, and which parts of a date are kept.

    Attributes:
        categories: most of a column.
        rows: fewest training rows of one.
        parts: of ``facts.PARTS``.
    """

    categories: int
    rows: int
    parts: tuple[Part, ...] = PARTS


def infer(facts: Facts) -> ColumnType:
    """The type of a column that nobody has named.

    - category: booleans; text that says true or false
    - category: numbers written with leading zeros (codes, such as postcodes), and whole numbers with one or two
      different values (flags: a third value, seen later, is unknown rather than further along a line)
    - number: every other column of which each value is a finite number
    - date: every value is a date in ISO notation
    - category: anything else

    Raises:
        MixedError: at least the share ``MIXED`` are numbers (or dates) of more than ``FEW`` values, but not all.
    """
    if facts.flags == facts.present:
        return "category"
    for name, kind, count in (("numbers", "number", facts.numbers.count), ("dates", "date", facts.dates.count)):
        if count == facts.present:
            return "category" if kind == "number" and _is_code(facts) else kind  # type: ignore[return-value]
        if count >= MIXED * facts.present and len(facts.texts) > FEW:
            others = facts.present - count
            examples = f", e.g. {', '.join(facts.examples)}" if facts.examples else ""
            raise MixedError(f"{name} in {count:,} training rows, something else in {others:,}{examples}")
    return "category"


def _is_code(facts: Facts) -> bool:
    return facts.padded > 0 or (facts.whole == facts.present and len(facts.texts) <= 2)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table with its type; ``entries`` turns it into stored columns.

    Attributes:
        decided: whether a person wrote the type into the config.
    """

    name: str
    facts: Facts
    type: ColumnType
    decided: Literal["inferred", "confirmed"]
    unit: str = ""

    def entries(self, limits: Limits) -> list[ColumnEntry]:
        """What is stored of it, without the figures that need all values; nothing where nothing varies."""
        if self.type == "category":
            return self._category(self.name, self.facts.texts, limits)
        moments = self.facts.numbers if self.type == "number" else self.facts.dates
        varies = moments.count and np.float32(moments.minimum) < np.float32(moments.maximum)
        found = [self._number()] if varies or (moments.count and self.facts.missing) else []
        if self.type == "date":
            for part in limits.parts:
                found += self._category(f"{self.name}.{part}", self.facts.parts[part], limits, part)
        return found

    def why_dropped(self, limits: Limits) -> str:
        """Why there are no entries."""
        if self.facts.present == 0:
            return "no training row has a value"
        if len(self.facts.texts) == 1:
            return f"every training row has {next(iter(self.facts.texts))!r}"
        if self.type == "category":
            return f"none of its {len(self.facts.texts):,} categories occurs in {limits.rows} training rows"
        return "every training row has the same value"

    def _number(self) -> ColumnEntry:
        moments = self.facts.numbers if self.type == "number" else self.facts.dates
        return ColumnEntry(
            name=self.name,
            source=self.name,
            type=self.type,
            decided=self.decided,
            unit=self.unit or ("days since 1970-01-01" if self.type == "date" else ""),
            missing=self.facts.missing,
            minimum=moments.minimum,
            maximum=moments.maximum,
            mean=moments.mean,
            std=moments.std,
        )

    def _category(
        self, name: str, texts: Mapping[str, int], limits: Limits, part: Part | None = None
    ) -> list[ColumnEntry]:
        kept, others = keep_categories(texts, limits.categories, limits.rows)
        counts = [others, *(texts[text] for text in kept)]
        missing_code = len(counts) if self.facts.missing else None
        if missing_code is not None:
            counts.append(self.facts.missing)
        if sum(count > 0 for count in counts) < 2:
            return []
        return [
            ColumnEntry(
                name=name,
                source=self.name,
                type="category",
                part=part,
                decided=self.decided,
                unit=self.unit if part is None else "",
                missing=self.facts.missing,
                categories=kept,
                missing_code=missing_code,
                codes=len(counts),
                counts=counts,
            )
        ]


def named_apart(entries: Iterable[ColumnEntry]) -> list[ColumnEntry]:
    """The entries with names of their own: a part of a date may be called like another column."""
    entries = list(entries)
    taken = {entry.name for entry in entries if entry.part is None}
    unique = []
    for entry in entries:
        name = entry.name
        while entry.part is not None and name in taken:
            name += "_"
        taken.add(name)
        unique.append(entry if name == entry.name else entry.model_copy(update={"name": name}))
    return unique
