"""Check, encode and split the raw data: data/raw/ -> data/processed/, reports/data/."""

from pathlib import Path

from stagewise.config.schema.data import PreprocessSettings
from stagewise.config.stage import StageRun, run_stage
from stagewise.data.preprocess import preprocess


def main(run: StageRun) -> None:
    """Write the splits as memory-mapped Arrow files, the report of the checks, and the contact sheet."""
    settings = run.settings(PreprocessSettings)
    with run.outputs("data/processed", "reports/data") as (processed, reports):
        preprocess(settings, Path("data/raw"), processed, reports)


if __name__ == "__main__":
    run_stage("preprocess", main)
