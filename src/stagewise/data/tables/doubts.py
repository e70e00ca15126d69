"""Doubts about columns, told to a person, who can settle them in the config."""

from collections.abc import Iterable, Iterator, Mapping

from stagewise.data.features.table_entry import ColumnEntry
from stagewise.data.tables.leaks import FEWEST_ROWS, Power
from stagewise.data.tables.types import Column


def leaks(columns: Iterable[ColumnEntry], powers: Mapping[str, Power], threshold: float) -> Iterator[str]:
    """A warning for each column of the table whose ``share`` of the answer reaches ``threshold``.

    Args:
        columns: as they are stored; of those that are parts of one date the strongest counts.
        powers: by name of the stored column.
    """
    strongest: dict[str, Power] = {}
    for column in columns:
        power = powers.get(column.name)
        if power is not None and (column.source not in strongest or power.share > strongest[column.source].share):
            strongest[column.source] = power
    for name, power in strongest.items():
        if power.share >= threshold:
            yield (
                f"the column {name!r} alone tells the answer ({power.measure} {power.value:.3f} on training rows that "
                f"it was not fitted to): was it known before the answer was? {_remedy(name)}"
            )


def counters(columns: Mapping[str, Column]) -> Iterator[str]:
    """A warning for each column of whole numbers that rises from row to row."""
    for name, column in columns.items():
        facts = column.facts
        if column.type == "number" and facts.rising and facts.whole == facts.rows >= FEWEST_ROWS:
            yield (
                f"the column {name!r} rises from row to row: a number that counts rows tells nothing of new ones. "
                f"{_remedy(name)}"
            )


def _remedy(name: str) -> str:
    return f"If not wanted: data.feature.columns: {{{name}: drop}}"
