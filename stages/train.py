"""Train the network: data/processed/ -> models/trained/."""

from pathlib import Path

from stagewise.config.schema.train import TrainSettings
from stagewise.config.stage import StageRun, run_stage
from stagewise.training.train import train


def main(run: StageRun) -> None:
    """Fit the Lightning module and keep the weights of the chosen epoch."""
    settings = run.settings(TrainSettings)
    with run.outputs("models/trained") as (trained,):
        train(settings, Path("data/processed"), trained, run.work, run.key)


if __name__ == "__main__":
    run_stage("train", main)
