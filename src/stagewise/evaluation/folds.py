"""k-fold cross-validation over the rows that are not test rows.

Named by ``_target_`` only where folds are asked for, so training enters the key of evaluate only then.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.train import NetworkSettings, TrainSettings
from stagewise.data.rows import open_rows
from stagewise.data.schema import DataSchema, read_schema
from stagewise.errors import ConfigError
from stagewise.evaluation.pool import Pool, write_view
from stagewise.evaluation.protocol import Evaluation, Fold, FoldsResult
from stagewise.metrics.intervals import student
from stagewise.tasks.build import load_inference

Indices = NDArray[np.int64]


class CrossValidation:
    """Trains once per fold, on the other folds, and measures each model on the rows it was not shown.

    Args:
        folds: how many, at least 2.
        module, augment, optimizer, scheduler, trainer: the sections of the train stage, not built.
        network: seed, threads, model and inference.
    """

    def __init__(
        self,
        folds: int,
        *,
        module: dict[str, Any],
        augment: dict[str, Any],
        optimizer: dict[str, Any],
        scheduler: dict[str, Any],
        trainer: dict[str, Any],
        network: NetworkSettings,
    ) -> None:
        self._folds = folds
        # One process trains all folds one after another, whatever the train stage itself runs on.
        single = {"devices": 1, "num_nodes": 1, "strategy": "auto", "loggers": []}
        self._settings = TrainSettings.model_validate(
            {
                **{name: getattr(network, name) for name in NetworkSettings.model_fields},
                "module": module,
                "augment": augment,
                "optimizer": optimizer,
                "scheduler": scheduler,
                "trainer": {**trainer, **single},
            }
        )

    def run(self, processed: Path, work: Path, evaluation: Evaluation, confidence: float) -> FoldsResult:
        """Train and measure every fold; ``work`` holds one fold at a time and is left without it.

        Raises:
            ConfigError: fewer than 2 folds, or more than the smallest class has rows.
        """
        schema = read_schema(processed)
        if schema.feature.storage == "windows":
            raise ConfigError(
                "windows of a series cannot be dealt into folds",
                where="evaluate.folds",
                why="neighbouring windows share most of their steps",
                fix="set evaluate.folds to 0",
            )
        pool = Pool(processed, schema, self._settings.augment.offline_copies)
        strata = (
            pool.targets if schema.splits["train"].class_counts is not None else np.zeros(len(pool.targets), np.int64)
        )
        fold_of = stratified_folds(strata[pool.rows], self._folds, self._settings.seed)
        share = schema.splits["validation"].rows / len(pool.rows) if "validation" in schema.splits else 0.0
        folds = []
        for number in range(self._folds):
            held_out, others = pool.rows[fold_of == number], pool.rows[fold_of != number]
            validation = others[pick_share(strata[others], share, self._settings.seed)]
            splits = {"train": np.setdiff1d(others, validation), "validation": validation, "test": held_out}
            figures = self._run_fold(pool, splits, work / f"fold-{number + 1}", evaluation)
            folds.append(Fold(len(splits["train"]), len(validation), len(held_out), figures))
        return _summarise(folds, evaluation.bounds, confidence)

    def _run_fold(
        self, pool: Pool, splits: dict[str, Indices], folder: Path, evaluation: Evaluation
    ) -> dict[str, float]:
        from stagewise.training.train import train  # imports Lightning, which takes seconds

        shutil.rmtree(folder, ignore_errors=True)
        view, trained, logs = (folder / name for name in ("processed", "trained", "work"))
        for path in (view, trained, logs):
            path.mkdir(parents=True)
        schema = write_view(pool, splits, view)
        train(self._settings, view, trained, logs)
        figures = self._measure(schema, view, trained, evaluation)
        shutil.rmtree(folder)
        return figures

    def _measure(self, schema: DataSchema, view: Path, trained: Path, evaluation: Evaluation) -> dict[str, float]:
        rows = open_rows(self._settings.rows, view, schema, "test")
        return evaluation.compare(evaluation.predict(load_inference(self._settings, schema, trained), rows))


def stratified_folds(targets: Indices, folds: int, seed: int) -> Indices:
    """The fold of each row, ``(n,)``: the rows of a class are dealt evenly, fold sizes differ by at most one.

    Raises:
        ConfigError: fewer than 2 folds, or more than the smallest class has rows.
    """
    smallest = int(np.unique(targets, return_counts=True)[1].min(initial=len(targets)))
    if not 2 <= folds <= smallest:
        raise ConfigError(
            f"cannot cut the data into {folds} folds",
            where="evaluate.folds",
            why=f"every fold needs a row of every class, and the smallest class has {smallest} rows",
            fix=f"choose 2 to {smallest} folds, or 0 for none" if smallest >= 2 else "set evaluate.folds to 0",
        )
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(targets))
    by_class = shuffled[np.argsort(targets[shuffled], kind="stable")]
    fold_of = np.empty(len(targets), np.int64)
    fold_of[by_class] = np.arange(len(targets)) % folds
    return fold_of


def pick_share(targets: Indices, share: float, seed: int) -> Indices:
    """Sorted places of about ``share`` of the rows of each class, never all; at least one unless ``share`` is 0."""
    if not share:
        return np.empty(0, np.int64)
    generator = np.random.Generator(np.random.PCG64(seed))
    picked = []
    for label in np.unique(targets):
        rows = generator.permutation(np.flatnonzero(targets == label))
        picked.append(rows[: min(max(1, round(share * len(rows))), len(rows) - 1)])
    return np.sort(np.concatenate(picked))


def _summarise(folds: list[Fold], bounds: tuple[float, float], confidence: float) -> FoldsResult:
    columns = {name: [fold.figures[name] for fold in folds] for name in folds[0].figures}
    columns = {name: values for name, values in columns.items() if np.isfinite(values).all()}
    means = {}
    for name, values in columns.items():
        mean = student(values, confidence)
        means[name] = mean._replace(low=max(mean.low, bounds[0]), high=min(mean.high, bounds[1]))
    return FoldsResult(folds, means, {name: float(np.std(values, ddof=1)) for name, values in columns.items()})
