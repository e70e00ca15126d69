"""Figures group by group: whether a model serves men and women, or one region and another, alike.

Groups are the values of a column of the table, whether or not the network made anything of it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.features.table_entry import PROBABILITIES, ColumnEntry, TableEntry
from stagewise.data.rows import Rows
from stagewise.data.schema import DataSchema
from stagewise.errors import ConfigError
from stagewise.metrics.intervals import Interval, bootstrap, wilson
from stagewise.metrics.regression import Mean, RootMeanSquare
from stagewise.metrics.weighted import Auroc, Statistic

COMPARED = 100
"""Fewest rows of a group that counts when groups are compared."""

COLUMNS = ("column", "group", "rows", "figure", "value", "low", "high")
"""Of figures/subgroups.csv."""

Indices = NDArray[np.int64]
Figures = dict[str, Interval]
Measure = Callable[[Indices], Figures]
"""From row numbers to the figures of these rows."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rows with one value of a column, and their figures; one that is undefined is NaN."""

    name: str
    rows: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Subgroups:
    """All groups of one column."""

    column: str
    groups: list[Group]

    @property
    def gaps(self) -> dict[str, float]:
        """By figure: the largest value minus the smallest, over groups of at least ``COMPARED`` rows."""
        compared = [group.figures for group in self.groups if group.rows >= COMPARED]
        gaps = {}
        for name in compared[0] if compared else ():
            known = [figures[name].value for figures in compared if not np.isnan(figures[name].value)]
            if len(known) > 1:
                gaps[name] = max(known) - min(known)
        return gaps

    @property
    def metrics(self) -> dict[str, float]:
        """``<column>_<figure>_gap`` for metrics.json."""
        return {f"{self.column}_{name}_gap": gap for name, gap in self.gaps.items()}


def subgroups(
    schema: DataSchema, rows: Rows, targets: NDArray[Any], answers: NDArray[Any], settings: EvaluateSection, seed: int
) -> list[Subgroups]:
    """Figures of the test rows for every group of the columns in ``settings.subgroups``.

    Args:
        schema: of a table, with classes or a number to predict.
        rows: the test rows.
        targets: class numbers, or the true numbers ``(n,)``.
        answers: probabilities ``(n, classes)``, or the predicted numbers ``(n,)``.
        seed: of the resamples.

    Raises:
        ConfigError: the data is no table or has no such column, or what is predicted is neither a class nor a number.
    """
    table = _table(schema)
    measure = _MEASURES[schema.target.kind](targets, answers, settings, seed)
    places = [_place(table, name) for name in settings.subgroups]
    values = rows.take(np.arange(len(rows), dtype=np.int64))
    found = []
    for place in places:
        column = table.columns[place]
        cut = [(name, np.flatnonzero(chosen)) for name, chosen in _groups(column, values[:, place])]
        groups = [Group(name, len(chosen), measure(chosen)) for name, chosen in cut if len(chosen)]
        found.append(Subgroups(column.name, groups))
    return found


def class_measure(
    targets: NDArray[np.int64], probabilities: NDArray[np.float32], settings: EvaluateSection, seed: int
) -> Measure:
    """Accuracy; and with two classes, of which the second is the positive one: rates of error and AUROC.

    ``base_rate`` is the share of rows that are positive, ``positive_rate`` of those that are named so; ``tpr`` and
    ``fpr`` are the shares named so of the positive and of the negative rows. Shares have Wilson's interval.

    Args:
        targets: class numbers ``(n,)``.
        probabilities: ``(n, classes)``.
    """
    labels, level = probabilities.argmax(axis=1), settings.confidence

    def share(these: NDArray[np.bool_]) -> Interval:
        return wilson(int(these.sum()), len(these), level)

    def measure(rows: Indices) -> Figures:
        actual, named = targets[rows], labels[rows]
        found = {"accuracy": share(actual == named)}
        if probabilities.shape[1] == 2:
            found["auroc"] = _bootstrapped(Auroc(probabilities[rows, 1], actual == 1), len(rows), settings, seed)
            found |= {"base_rate": share(actual == 1), "positive_rate": share(named == 1)}
            found |= {"tpr": share(named[actual == 1] == 1), "fpr": share(named[actual == 0] == 1)}
        return found

    return measure


def number_measure(
    targets: NDArray[np.float64], values: NDArray[np.float64], settings: EvaluateSection, seed: int
) -> Measure:
    """Root mean square error, mean absolute error and mean error (predicted minus true), with bootstrap intervals.

    Args:
        targets: true numbers ``(n,)``.
        values: predicted numbers ``(n,)``.
    """
    errors = values - targets

    def measure(rows: Indices) -> Figures:
        own = errors[rows]
        statistics: dict[str, Statistic] = {
            "rmse": RootMeanSquare(own),
            "mae": Mean(np.abs(own)),
            "mean_error": Mean(own),
        }
        return {name: _bootstrapped(statistic, len(rows), settings, seed) for name, statistic in statistics.items()}

    return measure


def flat(found: Iterable[Subgroups]) -> Iterator[tuple[str, str, int, str, float, float, float]]:
    """Lines of figures/subgroups.csv, whose columns are ``COLUMNS``."""
    for one in found:
        for group in one.groups:
            for name, interval in group.figures.items():
                yield one.column, group.name, group.rows, name, *interval


def _bootstrapped(statistic: Statistic, rows: int, settings: EvaluateSection, seed: int) -> Interval:
    (interval,) = bootstrap([statistic], rows, resamples=settings.resamples, confidence=settings.confidence, seed=seed)
    return interval


_MEASURES: dict[str, Callable[[Any, Any, EvaluateSection, int], Measure]] = {
    "class": class_measure,
    "number": number_measure,
}


def _table(schema: DataSchema) -> TableEntry:
    why = None
    if schema.feature.kind != "table":
        why = f"the input is of kind {schema.feature.kind}, not a table"
    elif schema.target.kind not in _MEASURES:
        why = f"the target is of kind {schema.target.kind}, neither a class nor a number"
    if why:
        raise ConfigError(
            "figures by group do not fit this data", where="evaluate.subgroups", why=why, fix="set it to []"
        )
    return schema.feature.narrow(TableEntry)


def _place(table: TableEntry, name: str) -> int:
    for place, column in enumerate(table.columns):
        if name == column.name:
            return place
    names = [column.name for column in table.columns]
    close = get_close_matches(name, names, 3) or names
    raise ConfigError(
        f"the table has no column {name!r}",
        where="evaluate.subgroups",
        why=f"the column was left out: {table.dropped[name]}" if name in table.dropped else None,
        fix=f"choose among: {', '.join(close[:12])}{' ...' if len(close) > 12 else ''}",
    )


def _groups(column: ColumnEntry, values: NDArray[np.float32]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Names of the groups, and which rows are in them, ``(n,)``."""
    if column.type == "category":
        for code, name in enumerate(_names(column)):
            yield name, values == code
        return
    # Quarters of the training rows, so that groups of several data sets are cut alike.
    cuts = sorted({column.quantiles[PROBABILITIES.index(p)] for p in (0.25, 0.5, 0.75)}) if column.quantiles else []
    edges = [-np.inf, *cuts, np.inf]
    for low, high in pairwise(edges):
        yield _between(low, high), (values >= low) & (values < high)
    yield "missing", np.isnan(values)


def _names(column: ColumnEntry) -> list[str]:
    names = ["other", *column.categories]
    return names if column.missing_code is None else [*names, "missing"]


def _between(low: float, high: float) -> str:
    if np.isinf(low):
        return "all" if np.isinf(high) else f"below {high:g}"
    return f"from {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
