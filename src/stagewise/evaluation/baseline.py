"""A second opinion on tables: gradient-boosted trees beside the network, on the same rows by the same figures.

On many tables boosted trees are hard to beat (Grinsztajn et al., 2022, "Why do tree-based models still outperform deep
learning on typical tabular data?"), and they train in seconds. A report that leaves them out says little.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.evaluate import EvaluateSection
from stagewise.data.features.table_entry import TableEntry
from stagewise.data.rows import Rows
from stagewise.data.schema import DataSchema
from stagewise.data.targets.entries import NumberEntry
from stagewise.errors import ConfigError
from stagewise.metrics.intervals import Interval, bootstrap
from stagewise.metrics.regression import R2, Mean, RootMeanSquare
from stagewise.metrics.weighted import Floats, MacroAuroc, Statistic

ROUNDS = 1000
"""Most trees (times the classes, beyond two); the validation rows say when to stop."""
PATIENCE = 20
"""Rounds without a better validation loss after which boosting stops; the trees of all rounds are kept."""
RATE = 0.05
MOST_CODES = 255
"""Most codes of a category column that is split by sets of codes; one with more is split by the order of its codes."""
LOWER_IS_BETTER = ("nll", "rmse", "mae")
COLUMNS = (
    "figure",
    *("network", "network_low", "network_high"),
    *("baseline", "baseline_low", "baseline_high"),
    *("difference", "difference_low", "difference_high"),
    "better",
)
"""Of figures/baseline.csv."""

_SMALLEST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows in memory: columns ``(n, F)``, NaN where a number is missing, and targets ``(n,)``."""

    values: NDArray[np.float32]
    targets: NDArray[Any]

    @classmethod
    def of(cls, rows: Rows) -> "Table":
        """All rows of a split."""
        every = np.arange(len(rows), dtype=np.int64)
        return cls(rows.take(every), rows.take_targets(every))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both; ``difference`` is network minus baseline, on the same rows in every resample."""

    name: str
    network: Interval
    baseline: Interval
    difference: Interval

    @property
    def better(self) -> Literal["network", "baseline", "neither"]:
        """Which of the two the interval of the difference allows to call better."""
        if self.difference.low <= 0 <= self.difference.high:
            return "neither"
        higher = self.difference.value > 0
        return "network" if higher != (self.name in LOWER_IS_BETTER) else "baseline"


@dataclass(frozen=True, slots=True)
class BaselineResult:
    """The baseline beside the network.

    Attributes:
        comparisons: the figure that sums a model up first.
        rounds: of boosting.
        trained_on: rows.
        stopped_by: validation rows that said when to stop; 0 where there are none.
        answers: of the baseline for the test rows: probabilities ``(n, classes)``, or numbers ``(n,)``.
    """

    comparisons: list[Comparison]
    rounds: int
    trained_on: int
    stopped_by: int
    answers: NDArray[Any]

    @property
    def metrics(self) -> dict[str, float]:
        """``baseline_<figure>`` and ``baseline_<figure>_difference`` with its interval, for metrics.json."""
        flat: dict[str, float] = {}
        for one in self.comparisons:
            name, (value, low, high) = f"baseline_{one.name}", one.difference
            flat |= {name: one.baseline.value, f"{name}_difference": value}
            flat |= {f"{name}_difference_low": low, f"{name}_difference_high": high}
        return flat

    @property
    def lines(self) -> list[tuple[Any, ...]]:
        """Of figures/baseline.csv, whose columns are ``COLUMNS``."""
        return [(c.name, *c.network, *c.baseline, *c.difference, c.better) for c in self.comparisons]


def gradient_boosting(
    schema: DataSchema,
    splits: Mapping[str, Rows],
    answers: NDArray[Any],
    settings: EvaluateSection,
    seed: int,
) -> BaselineResult:
    """Train boosted trees on the training rows, and compare them with the network on the test rows.

    All rows are held in memory. Equal inputs give equal results, whatever the number of threads.

    Args:
        schema: of a table, with classes or a number to predict.
        splits: the rows of ``train``, ``test`` and, where there are any, ``validation``.
        answers: of the network for the test rows: probabilities ``(n, classes)``, or numbers ``(n,)``.
        seed: of the resamples.

    Raises:
        ConfigError: the data is no table, or what is predicted neither a class nor a number.
    """
    columns = _columns(schema)
    train, test = Table.of(splits["train"]), Table.of(splits["test"])
    validation = Table.of(splits["validation"]) if "validation" in splits and len(splits["validation"]) else None
    fit, statistics = _KINDS[schema.target.kind]
    found, rounds = fit(schema, columns, train, validation, test.values)
    comparisons = compare(
        statistics(test.targets, answers),
        statistics(test.targets, found),
        len(test.targets),
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=seed,
    )
    return BaselineResult(comparisons, rounds, len(train.targets), len(validation.targets) if validation else 0, found)


def compare(
    network: Mapping[str, Statistic],
    baseline: Mapping[str, Statistic],
    rows: int,
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> list[Comparison]:
    """Every figure of both with its interval, and that of the difference on the same resamples.

    Figures that are undefined are left out.
    """
    differences = [_difference(network[name], baseline[name]) for name in network]
    every = [*network.values(), *(baseline[name] for name in network), *differences]
    found = bootstrap(every, rows, resamples=resamples, confidence=confidence, seed=seed)
    count = len(network)
    triples = zip(found[:count], found[count : 2 * count], found[2 * count :], strict=True)
    compared = [Comparison(name, *triple) for name, triple in zip(network, triples, strict=True)]
    return [one for one in compared if np.isfinite([*one.network, *one.baseline, *one.difference]).all()]


def fit_classes(
    columns: Sequence[int], train: Table, validation: Table | None, values: NDArray[np.float32], classes: int
) -> tuple[NDArray[np.float32], int]:
    """Probabilities ``(n, classes)`` for rows ``(n, F)``, and the rounds of boosting.

    Args:
        columns: per column, how many codes it has; 0 for a number.
        train: with class numbers; a class without rows gets probability 0.
        validation: rows that say when to stop; without any, all ``ROUNDS`` are run.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(**_arguments(columns, validation))
    if len(np.unique(train.targets)) < 2:
        only = np.zeros((len(values), classes), np.float32)
        only[:, int(train.targets[0])] = 1
        return only, 0
    if validation is not None:
        known = np.isin(validation.targets, train.targets)
        validation = Table(validation.values[known], validation.targets[known])
    model.fit(train.values, train.targets, **_held_out(validation))
    probabilities = np.zeros((len(values), classes), np.float32)
    probabilities[:, model.classes_.astype(np.int64)] = model.predict_proba(values)
    return probabilities, int(model.n_iter_)


def fit_numbers(
    columns: Sequence[int], train: Table, validation: Table | None, values: NDArray[np.float32]
) -> tuple[NDArray[np.float64], int]:
    """Numbers ``(n,)`` for rows ``(n, F)``, and the rounds of boosting; arguments as ``fit_classes``."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(**_arguments(columns, validation))
    model.fit(train.values, train.targets, **_held_out(validation))
    return np.asarray(model.predict(values), dtype=np.float64), int(model.n_iter_)


def class_statistics(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> dict[str, Statistic]:
    """AUROC (macro, one class against the rest), accuracy and negative log-likelihood of ``(n, classes)``."""
    own = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return {
        "auroc": MacroAuroc(targets, probabilities),
        "accuracy": Mean(probabilities.argmax(axis=1) == targets),
        "nll": Mean(-np.log(own.clip(_SMALLEST, 1.0))),
    }


def number_statistics(targets: NDArray[np.float64], values: NDArray[np.float64]) -> dict[str, Statistic]:
    """Root mean square error, mean absolute error and R2 of ``(n,)``."""
    errors = values - targets
    return {"rmse": RootMeanSquare(errors), "mae": Mean(np.abs(errors)), "r2": R2(targets, errors)}


def _arguments(columns: Sequence[int], validation: Table | None) -> dict[str, Any]:
    return {
        "learning_rate": RATE,
        "max_iter": ROUNDS,
        "early_stopping": validation is not None,
        "n_iter_no_change": PATIENCE,
        "categorical_features": np.array([0 < codes <= MOST_CODES for codes in columns], np.bool_),
        # Only binning draws, and only from more than 200,000 rows.
        "random_state": 0,
    }


def _held_out(validation: Table | None) -> dict[str, Any]:
    return {} if validation is None else {"X_val": validation.values, "y_val": validation.targets}


def _fit_class_target(
    schema: DataSchema, columns: list[int], train: Table, validation: Table | None, values: NDArray[np.float32]
) -> tuple[NDArray[Any], int]:
    return fit_classes(columns, train, validation, values, len(schema.classes))


def _fit_number_target(
    schema: DataSchema, columns: list[int], train: Table, validation: Table | None, values: NDArray[np.float32]
) -> tuple[NDArray[Any], int]:
    """Trees see the target as the network does: after its logarithm, where it has one."""
    if schema.target.narrow(NumberEntry).transform == "none":
        return fit_numbers(columns, train, validation, values)
    train = Table(train.values, np.log1p(train.targets))
    validation = validation and Table(validation.values, np.log1p(validation.targets))
    found, rounds = fit_numbers(columns, train, validation, values)
    return np.expm1(found), rounds


_Fit = Callable[[DataSchema, list[int], Table, Table | None, NDArray[np.float32]], tuple[NDArray[Any], int]]
_KINDS: dict[str, tuple[_Fit, Callable[[NDArray[Any], NDArray[Any]], dict[str, Statistic]]]] = {
    "class": (_fit_class_target, class_statistics),
    "number": (_fit_number_target, number_statistics),
}


def _columns(schema: DataSchema) -> list[int]:
    """Codes of every column, 0 for a number."""
    why = None
    if schema.feature.kind != "table":
        why = f"the input is of kind {schema.feature.kind}, not a table"
    elif schema.target.kind not in _KINDS:
        why = f"the target is of kind {schema.target.kind}, neither a class nor a number"
    if why:
        raise ConfigError(
            "gradient boosting does not fit this data", where="evaluate.baseline", why=why, fix="set it to null"
        )
    return [column.codes for column in schema.feature.narrow(TableEntry).columns]


def _difference(network: Statistic, baseline: Statistic) -> Statistic:
    def difference(weights: Floats) -> Floats:
        return network(weights) - baseline(weights)

    return difference
