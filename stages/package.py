"""Bundle the chosen model with all that is needed to use and trust it: dist/<name>-<version>/."""

from pathlib import Path

from stagewise.config.schema.package import PackageSettings
from stagewise.config.stage import StageRun, run_stage
from stagewise.packaging.package import package


def main(run: StageRun) -> None:
    """Write the model, its schema, the model card, the predictor and the manifest."""
    settings = run.settings(PackageSettings)
    with run.outputs(f"dist/{settings.name}-{settings.version}") as (bundle,):
        package(settings, Path("models/compressed"), Path("data/raw"), Path("reports"), run.stage_keys(), bundle)


if __name__ == "__main__":
    run_stage("package", main)
