"""The evaluate stage: one look at the test split, and everything that can be said from it."""

from pathlib import Path
from typing import Any, cast

from torch import nn

from stagewise.config.schema.base import Target
from stagewise.config.schema.evaluate import EvaluateSettings
from stagewise.config.targets import build
from stagewise.data.rows import Rows, open_rows
from stagewise.data.schema import DataSchema, read_schema
from stagewise.errors import DataError
from stagewise.evaluation.protocol import Beside, Evaluation, FoldsResult, PlainAnswers
from stagewise.report.page import learning_curves, render
from stagewise.report.tables import read_history, write_curves, write_metrics
from stagewise.tasks.build import load_inference, set_threads


def evaluate(settings: EvaluateSettings, processed: Path, trained: Path, out: Path, work: Path) -> dict[str, float]:
    """Measure the model in ``trained`` on the test rows of ``processed``.

    Writes metrics.json, learning_curves.csv, report.html, predictions.parquet and figures/ (tables and pictures of
    the task) into ``out``, which exists and is empty. ``work`` is a folder for the models of the folds, left empty.
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
    rows = _test_rows(settings.rows, schema, processed)
    evaluation: Evaluation = build(
        settings.evaluation,
        schema=schema,
        settings=settings.evaluate,
        seed=settings.seed,
        display=build(settings.display, schema=schema),
    )
    validation = open_rows(settings.rows, processed, schema, "validation")
    if len(validation):
        evaluation.calibrate(inference, validation)
    predictions = evaluation.predict(inference, rows)
    result = evaluation.measure(predictions)
    folds = _cross_validate(settings, processed, work, evaluation)
    (out / "figures").mkdir()
    beside = _look_beside(settings, schema, processed, evaluation, predictions, out / "figures")
    metrics: dict[str, float] = {**result.metrics, **beside.metrics, **(folds.metrics if folds else {})}

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
        **beside.context,
    }
    page = render(evaluation.template, context | evaluation.page(result, rows))
    (out / "report.html").write_text(page, encoding="utf-8")
    return metrics


def _test_rows(reader: Target, schema: DataSchema, processed: Path) -> Rows:
    rows = open_rows(reader, processed, schema, "test")
    if not len(rows):
        raise DataError(
            "there are no test rows to evaluate on",
            where=str(processed / schema.splits["test"].file),
            fix="set data.split.test above 0, then dvc repro",
        )
    return rows


def _look_beside(
    settings: EvaluateSettings,
    schema: DataSchema,
    processed: Path,
    evaluation: Evaluation,
    predictions: Any,
    figures: Path,
) -> Beside:
    if settings.beside is None:
        return Beside({}, {"subgroups": None, "baseline": None})
    found: Beside = build(settings.beside)(
        settings.evaluate,
        settings.seed,
        schema,
        lambda split: open_rows(settings.rows, processed, schema, split),
        cast(PlainAnswers, evaluation).answers_of(predictions),
        figures,
    )
    return found


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
