"""How much of an objective each swept parameter explains."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc  # type: ignore[import-untyped, unused-ignore]

from stagewise.sweeps.output.measured import finished, first
from stagewise.sweeps.output.points import CONFIDENCE, Point, rank
from stagewise.sweeps.output.values import ABSENT, setting_scale, swept
from stagewise.sweeps.record import Objective, Trial

FEWEST = 8
"""Trials below which nothing is said; where a forest is asked, points."""

_FOLDS, _TREES, _SHUFFLES, _STATE = 4, 100, 10, 0


@dataclass(frozen=True)
class Importance:
    """Shares of the first objective's variance, or why there are none."""

    shares: dict[str, float]
    """By key, largest first; what is left to 1 belongs to combinations of parameters and to chance."""
    method: str
    """How the shares were computed; empty without them."""
    missing: str
    """Why there are no shares; empty with them."""
    unsure: tuple[str, ...] = ()
    """Keys whose share chance alone could have given."""


def importance(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Importance:
    """How much each parameter explains of the first objective, over the trials that count.

    Where the points are all combinations of the values, each as often as the others, an analysis of variance says it
    (main effects as epsilon squared, which takes off what chance alone would give); else a random forest that predicts
    points it has not seen (permutation importance).
    """
    measured, metric = finished(trials, objectives), first(objectives).metric
    keys = swept(measured)
    if len(measured) < FEWEST:
        return _none(f"{len(measured)} finished trials are too few to tell: {FEWEST} are needed.")
    if len(keys) < 2:
        return _none("Fewer than two parameters differ between the finished trials: there is nothing to divide.")
    points = rank(measured, objectives)
    if len({trial.metrics[metric] for trial in measured}) == 1:
        return _none(f"{metric} is the same in every trial: there is nothing to explain.")
    return _variance(points, keys, metric) if _is_grid(points, keys) else _forest(points, keys, metric)


def main_effects(cells: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Epsilon squared (not below 0) and the p value of the F test of each factor of a full balanced design.

    Args:
        cells: not all equal; one axis per factor, each of two or more values, then one of repetitions.
    """
    mean, factors = cells.mean(), range(cells.ndim - 1)
    total = float(((cells - mean) ** 2).sum())
    freedoms = [cells.shape[factor] - 1 for factor in factors]
    squares = []
    for factor in factors:
        levels = cells.mean(axis=tuple(axis for axis in range(cells.ndim) if axis != factor))
        squares.append(float(((levels - mean) ** 2).sum()) * cells.size / cells.shape[factor])
    if cells.shape[-1] > 1:
        # Repetitions tell chance from combinations of factors.
        rest = float(((cells - cells.mean(axis=-1, keepdims=True)) ** 2).sum())
        freedom = cells.size - cells.size // cells.shape[-1]
    else:
        rest, freedom = max(0.0, total - sum(squares)), cells.size - 1 - sum(freedoms)
    chance = rest / freedom
    return [
        (max(0.0, (square - df * chance) / total), float(fdtrc(df, freedom, square / df / chance)) if chance else 0.0)
        for square, df in zip(squares, freedoms, strict=True)
    ]


def _none(why: str) -> Importance:
    return Importance({}, "", why)


def _levels(points: Sequence[Point], keys: Sequence[str]) -> list[list[str]]:
    return [list(dict.fromkeys(point.settings.get(key, ABSENT) for point in points)) for key in keys]


def _is_grid(points: Sequence[Point], keys: Sequence[str]) -> bool:
    cells = math.prod(len(levels) for levels in _levels(points, keys))
    return len(points) == cells and len({point.n for point in points}) == 1


def _variance(points: Sequence[Point], keys: Sequence[str], metric: str) -> Importance:
    levels = _levels(points, keys)
    found = {
        tuple(point.settings.get(key, ABSENT) for key in keys): [trial.metrics[metric] for trial in point.measured]
        for point in points
    }
    rows = [found[cell] for cell in itertools.product(*levels)]
    effects = dict(zip(keys, main_effects(np.array(rows).reshape([*map(len, levels), points[0].n])), strict=True))
    unsure = tuple(key for key, (_, p) in effects.items() if p > 1 - CONFIDENCE)
    shares = {key: share for key, (share, _) in effects.items()}
    return Importance(_sorted(shares), "analysis of variance over the full grid", "", unsure)


def _forest(points: Sequence[Point], keys: Sequence[str], metric: str) -> Importance:
    if len(points) < FEWEST:
        return _none(f"{len(points)} points that are no full grid are too few to tell: {FEWEST} are needed.")
    columns = [[point.settings.get(key, ABSENT) for point in points] for key in keys]
    inputs = np.array([_places(column) for column in columns]).T
    target = np.array([point.estimates[metric].mean for point in points])
    explained, drops = _held_out(inputs, target)
    if explained <= 0 or not drops.any():
        return _none("A random forest does not predict points that it was not shown, so no share can be told.")
    shares = dict(zip(keys, (min(explained, 1.0) * drops / drops.sum()).tolist(), strict=True))
    method = f"permutation importance of a random forest, which explains {explained:.0%} of points it was not shown"
    return Importance(_sorted(shares), method, "")


def _places(column: Sequence[str]) -> list[float]:
    scale = setting_scale(column)
    return [scale.place(text) for text in column]


def _held_out(inputs: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The share of variance that forests explain of rows left out, and by how much shuffling each column lowers it."""
    # Imported here: it takes most of a second, and most sweeps are full grids.
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import KFold

    draw = np.random.default_rng(_STATE)
    errors, shuffled = np.zeros(len(target)), np.zeros((inputs.shape[1], len(target)))
    for train, held in KFold(_FOLDS, shuffle=True, random_state=_STATE).split(inputs):
        forest = RandomForestRegressor(_TREES, random_state=_STATE, n_jobs=1).fit(inputs[train], target[train])
        errors[held] = (forest.predict(inputs[held]) - target[held]) ** 2
        for column in range(inputs.shape[1]):
            rows = np.tile(inputs[held], (_SHUFFLES, 1, 1))
            rows[:, :, column] = draw.permuted(rows[:, :, column], axis=1)
            answers = forest.predict(rows.reshape(-1, inputs.shape[1])).reshape(_SHUFFLES, -1)
            shuffled[column, held] = ((answers - target[held]) ** 2).mean(axis=0)
    drops = np.maximum(0.0, shuffled.sum(axis=1) - errors.sum())
    return 1 - float(errors.sum() / ((target - target.mean()) ** 2).sum()), drops


def _sorted(shares: dict[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
