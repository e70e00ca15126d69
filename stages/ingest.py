"""Fetch and verify the raw data: data/raw/."""

from stagewise.config.schema.data import IngestSettings
from stagewise.config.stage import StageRun, run_stage
from stagewise.data.sources.ingest import ingest


def main(run: StageRun) -> None:
    """Bring every file of the chosen data set here, checked against its published size and digest."""
    settings = run.settings(IngestSettings)
    with run.outputs("data/raw") as (raw,):
        ingest(settings, raw, mirror=run.mirror, partial=run.work / "partial")


if __name__ == "__main__":
    run_stage("ingest", main)
