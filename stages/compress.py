"""Export and compress the trained network: models/trained/ -> models/compressed/, reports/compression/."""

from pathlib import Path

from stagewise.compression.compress import compress
from stagewise.config.schema.compress import CompressSettings
from stagewise.config.stage import StageRun, run_stage


def main(run: StageRun) -> None:
    """Export one ONNX graph, measure every candidate, and choose the smallest that is accurate enough."""
    settings = run.settings(CompressSettings)
    with run.outputs("models/compressed", "reports/compression") as (compressed, reports):
        compress(settings, Path("data/processed"), Path("models/trained"), compressed, reports)


if __name__ == "__main__":
    run_stage("compress", main)
