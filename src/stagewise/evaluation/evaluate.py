"""The evaluate stage: one look at the test split, and everything that can be said from it."""

from pathlib import Path
from typing import Any

from torch import nn

from stagewise.config.schema.base import Target
from stagewise.config.schema.evaluate import EvaluateSettings
from stagewise.config.targets import build
from stagewise.data.schema import DataSchema, read_schema
from stagewise.data.storage import SplitReader
from stagewise.errors import DataError
from stagewise.evaluation.page import learning_curves, render
from stagewise.evaluation.protocol import Evaluation, FoldsResult
from stagewise.evaluation.tables import read_history, write_curves, write_metrics
from stagewise.tasks.build import load_inference, set_threads


def evaluate(settings: EvaluateSettings, processed: Path, trained: Path, out: Path, work: Path) -> dict[str, float]:
    """Measure the model in ``trained`` on the test rows of ``processed``.

    Writes metrics.json, learning_curves.csv, report.html and the files of the task's evaluation into
    ``out``, which exists and is empty. ``work`` is a folder for the models of the folds, left empty.
    Equal inputs give equal bytes.

    Returns:
        What metrics.json holds.

    Raises:
        DataError, TrainingError, ConfigError: an input is missing, damaged, or does not fit the others.
    """
    set_threads(settings.threads)
    schema = read_schema(processed)
    history = read_history(trained / "history.csv")
    inference = load_inference(settings, schema, trained)
    rows = _test_rows(schema, processed)
    evaluation: Evaluation = build(settings.evaluation, schema=schema, settings=settings.evaluate, seed=settings.seed)
    result = evaluation.measure(evaluation.predict(inference, rows))
    folds = _cross_validate(settings, processed, work, evaluation)
    metrics: dict[str, float] = {**result.metrics, **(folds.metrics if folds else {})}

    write_metrics(metrics, out / "metrics.json")
    write_curves(history, out / "learning_curves.csv")
    evaluation.write(result, rows, out)
    context: dict[str, Any] = {
        "settings": settings,
        "schema": schema,
        "parameters": _count_parameters(inference),
        "curves": learning_curves(history),
        "epochs": len(history["epoch"]),
        "folds": folds,
    }
    page = render(evaluation.template, context | evaluation.page(result, rows))
    (out / "report.html").write_text(page, encoding="utf-8")
    return metrics


def _test_rows(schema: DataSchema, processed: Path) -> SplitReader:
    rows = SplitReader(processed / schema.splits["test"].file, schema.features[0].shape)
    if not len(rows):
        raise DataError(
            "there are no test rows to evaluate on",
            where=str(processed / schema.splits["test"].file),
            fix="set data.split.test above 0, then dvc repro",
        )
    return rows


def _cross_validate(
    settings: EvaluateSettings, processed: Path, work: Path, evaluation: Evaluation
) -> FoldsResult | None:
    if settings.cross_validation is None:
        return None
    # Passed as objects, since ``build`` would build the optimiser and the others among the arguments at once.
    runner = Target.model_validate({"_target_": settings.cross_validation.target})
    cross_validation = build(runner, **settings.cross_validation.arguments, network=settings)
    result: FoldsResult = cross_validation.run(processed, work, evaluation, settings.evaluate.confidence)
    return result


def _count_parameters(inference: nn.Module) -> int:
    return sum(parameter.numel() for parameter in inference.parameters())
