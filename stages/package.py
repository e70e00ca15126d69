"""Bundle the chosen model with all that is needed to use and trust it: dist/<name>-<version>/, and as files to send."""

from pathlib import Path

from stagewise.config.schema.package import PackageSettings
from stagewise.config.stage import StageRun, run_stage
from stagewise.packaging.forms.archive import write_archive
from stagewise.packaging.forms.wheel import write_wheel
from stagewise.packaging.package import package


def main(run: StageRun) -> None:
    """Write the package: model, schemas, model card, predictor and manifest; then the same as a .zip and as a wheel."""
    settings = run.settings(PackageSettings)
    bundle_name = f"dist/{settings.name}-{settings.version}"
    with run.outputs(bundle_name, f"{bundle_name}-files") as (bundle, files):
        package(settings, Path("models/compressed"), Path("data/raw"), Path("reports"), run.entries(), bundle)
        write_archive(bundle, files)
        write_wheel(bundle, files)


if __name__ == "__main__":
    run_stage("package", main)
