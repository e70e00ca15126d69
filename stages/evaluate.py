"""Judge the trained network on the test split: models/trained/ -> reports/evaluation/."""

from pathlib import Path

from stagewise.config.schema.evaluate import EvaluateSettings
from stagewise.config.stage import StageRun, run_stage
from stagewise.evaluation.evaluate import evaluate


def main(run: StageRun) -> None:
    """Write metrics with intervals, per-example predictions, plots and the report page."""
    settings = run.settings(EvaluateSettings)
    with run.outputs("reports/evaluation") as (reports,):
        evaluate(settings, Path("data/processed"), Path("models/trained"), reports, run.work)


if __name__ == "__main__":
    run_stage("evaluate", main)
