"""What a model was made for, in numbers: the reference that a package carries."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stagewise.drift.columns import Column, Columns, Table, outcomes, said

FILE = "reference.json"
"""Its name in a package."""
VERSION = 1
ROWS = 5000
"""Most rows that it is made of."""

_LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_FEW = 5
_BATCH = 64
_MOST_ROWS = 10_000_000

Reference = dict[str, Any]


class StoredRows(Protocol):
    """Rows of a split: ``stagewise.data.rows.Rows``."""

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Of rows of any length."""

    def __len__(self) -> int: ...

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Inputs."""

    def take_targets(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Targets."""


def make_reference(
    rows: StoredRows,
    graph: Callable[[NDArray[Any]], Sequence[NDArray[Any]]],
    schema: Mapping[str, Any],
    *,
    count: int = ROWS,
) -> Reference:
    """The reference of a model: quantiles and shares of what is measured of its inputs, answers and errors.

    Equal rows and a graph that answers alike give an equal reference. It holds no row, but single values of some.

    Args:
        rows: that the model was not trained on, as they are stored; the service compares what it is sent with these.
        graph: from stored rows ``(n, ...)`` to its outputs.
        schema: schema.json of the package: ``inputs`` with one entry, and ``target``.
        count: most rows that are used, evenly strided.

    Returns:
        What reference.json holds.

    Raises:
        ValueError: there are no rows.
    """
    columns, kind = Columns(schema), schema["target"]["kind"]
    if not len(rows):
        raise ValueError("there are no rows to make a reference of")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(np.int64))
    size = 1 if rows.lengths is not None else _BATCH  # a padded batch is not what the service sees
    measured, told = [], []
    for begin in range(0, len(chosen), size):
        indices = chosen[begin : begin + size]
        given = rows.take(indices)
        outputs = graph(given)
        measured.append(columns.table(list(given), outputs))
        if columns.outcomes:
            told.append(outcomes(said(kind, outputs), np.asarray(rows.take_targets(indices))))
    return _reference(columns, np.concatenate(measured), np.concatenate(told) if told else None)


def describe(column: Column, values: NDArray[Any]) -> dict[str, Any]:
    """The entry of one column.

    Of a category, how often each label came. Of a number, some of its values by their rank (``ranks``, ``edges``: the
    ranks are fixed by the number of values alone, which is what makes the test exact), and how many values lie in
    each bin between tenths (``bins``, ``counts``: at most the first, ..., above the last). A value that takes more
    than a tenth has a bin of its own, so that what goes below it is seen; where that leaves few, there are bins further
    out, too.
    """
    if column.labels:
        counts = np.bincount(values.astype(np.int64), minlength=len(column.labels))
        return {"name": column.name, "labels": list(column.labels), "counts": counts.tolist()}
    known = np.sort(values[~np.isnan(values)])
    ranks = sorted(
        {min(len(known), max(1, round(level * (len(known) + 1)))) for level in _LEVELS} if len(known) else ()
    )
    edges = [plain(known[rank - 1]) for rank in ranks]
    tenths = [round(level * (len(known) + 1)) for level in _LEVELS if 0.1 <= level <= 0.9]
    cuts = [edge for rank, edge in zip(ranks, edges, strict=True) if rank in tenths]
    if len(set(cuts)) < _FEW:
        cuts = edges
    bins = sorted({*cuts, *(_just_below(edge) for edge in cuts if cuts.count(edge) > 1)})
    return {
        "name": column.name,
        "missing": len(values) - len(known),
        "ranks": ranks,
        "edges": edges,
        "bins": bins,
        "counts": bin_counts(bins, known),
    }


def plain(value: Any) -> float:
    """A float32 with the fewest digits that give it again."""
    return float(str(np.float32(value)))


def _just_below(value: float) -> float:
    """The next smaller float32; the value itself where there is none."""
    least = np.finfo(np.float32).min
    return plain(max(np.nextafter(np.float32(value), np.float32(-np.inf)), least))


def bin_counts(bins: Sequence[float], known: NDArray[Any]) -> list[int]:
    """How many values lie at or below each edge and above the one before; the last: above all."""
    places = np.searchsorted(np.asarray(bins, np.float32), known, side="left")
    return [int(count) for count in np.bincount(places, minlength=len(bins) + 1)]


def write_reference(reference: Reference) -> str:
    """The text of reference.json."""
    return json.dumps(reference, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def check_reference(content: Any, columns: Columns) -> Reference:
    """A reference that fits a schema.

    Raises:
        ValueError: it does not.
    """
    try:
        if content["version"] != VERSION:
            raise ValueError(f"it is of version {content['version']!r}, and {VERSION} is read")
        if not _is_count(content["rows"], _MOST_ROWS) or not content["rows"]:
            raise ValueError(f"it is made of no number of rows from 1 to {_MOST_ROWS:,}")
        for key, wanted in (("columns", columns.columns), ("outcomes", columns.outcomes)):
            found = [(entry["name"], tuple(entry.get("labels", ()))) for entry in content[key]]
            if found != [(column.name, column.labels) for column in wanted]:
                raise ValueError("it measures something else than this version does")
            for entry in content[key]:
                _check_entry(entry, content["rows"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no reference ({error!r})") from error
    return dict(content)


def _check_entry(entry: Mapping[str, Any], rows: int) -> None:
    cells = len(entry["labels"]) if "labels" in entry else len(entry["bins"]) + 1
    missing, counts = entry.get("missing", 0), entry["counts"]
    good = all(_is_count(count, rows) for count in (missing, *counts, *entry.get("ranks", ())))
    known = rows - missing
    good = good and len(counts) == cells and sum(counts) == known
    if "labels" not in entry:
        ranks = entry["ranks"]
        good = good and len(ranks) == len(entry["edges"]) and all(1 <= rank <= known for rank in ranks)
        good = good and entry["edges"] == sorted(entry["edges"]) and entry["bins"] == sorted(entry["bins"])
    if not good:
        raise ValueError(f"the numbers of {entry['name']!r} contradict each other")


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _reference(columns: Columns, measured: Table, told: Table | None) -> Reference:
    return {
        "version": VERSION,
        "rows": len(measured),
        "kind": columns.kind,
        "columns": [describe(column, measured[:, place]) for place, column in enumerate(columns.columns)],
        "outcomes": []
        if told is None
        else [describe(column, told[:, place]) for place, column in enumerate(columns.outcomes)],
    }
