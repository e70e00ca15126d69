"""Export and compress the trained network: models/trained/ -> models/compressed/, reports/compression/."""

from pathlib import Path

from stagewise.compression.compress import compress
from stagewise.compression.shelf import Shelf
from stagewise.config.schema.compress import CompressSettings
from stagewise.config.stage import StageRun, run_stage


def main(run: StageRun) -> None:
    """Export one ONNX graph, make and measure every candidate, and choose the best within the limits."""
    settings = run.settings(CompressSettings)
    shelf = Shelf(run.work / "candidates", run.fingerprint)
    with run.outputs("models/compressed", "reports/compression") as (compressed, reports):
        compress(
            settings,
            Path("data/processed"),
            Path("models/trained"),
            compressed,
            reports,
            shelf=shelf,
            work=run.work,
            known_times=Path("reports/compression/latency.json"),
        )


if __name__ == "__main__":
    run_stage("compress", main)
