"""Training a network again, with the project's own training sections and some values of a step's own."""

import contextlib
import shutil
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from stagewise.compression.steps import Workshop
from stagewise.config.schema.compress import CompressSettings, TrainingSections
from stagewise.config.schema.train import NetworkSettings, TrainSettings
from stagewise.errors import ConfigError
from stagewise.tasks.build import WEIGHTS
from stagewise.tasks.inference import Inference
from stagewise.tasks.module import Teacher
from stagewise.tasks.weights import load_weights
from stagewise.training.checkpoints import identity
from stagewise.training.train import fit

# One process trains, whatever the train stage itself runs on; the network is given, and all of it is trained.
_OWN = {"devices": 1, "num_nodes": 1, "strategy": "auto", "loggers": [], "init_from": None, "freeze": []}


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a network is trained again; None stands for what training did, times a share.

    Attributes:
        epochs: how many; None: ``epoch_share`` of those of training, rounded, at least one.
        lr: peak of the learning rate; None: ``lr_share`` of that of training.
        batch_size: rows per batch; None: that of training.
    """

    epochs: int | None
    lr: float | None
    batch_size: int | None
    epoch_share: float
    lr_share: float


def fine_tune(inference: Inference, workshop: Workshop, tuning: Tuning, teacher: Teacher | None = None) -> None:
    """Train a copy of the network, and load the weights of the kept epoch into the network itself.

    A training that was killed goes on from its last checkpoint. Equal arguments give equal weights.

    Raises:
        ConfigError, TrainingError, Stopped: see ``stagewise.training.train``.
    """
    settings = training_settings(workshop.settings, tuning)
    out = workshop.work / "tuning" / identity(workshop.key)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    fit(settings, deepcopy(inference), workshop.processed, out, workshop.work, workshop.key, teacher=teacher)
    load_weights(inference.network, out / WEIGHTS)
    shutil.rmtree(out)
    with contextlib.suppress(OSError):  # others are there
        out.parent.rmdir()


def training_settings(settings: CompressSettings, tuning: Tuning) -> TrainSettings:
    """What the train stage got, with the values of ``tuning``, for one process and without logs.

    Raises:
        ConfigError: the settings hold no training sections.
    """
    sections = settings.training
    if sections is None:
        raise ConfigError(
            "a candidate trains the network again, but the compress stage got no training sections",
            where="compress.candidates",
            why="it gets them for steps that lie below stagewise.compression.networks",
            fix="dvc repro configure; put a step of your own beside those",
        )
    trainer = sections.trainer
    changes: dict[str, Any] = {
        **_OWN,
        "max_epochs": tuning.epochs or max(1, round(trainer.max_epochs * tuning.epoch_share)),
        "batch_size": tuning.batch_size or trainer.batch_size,
    }
    given = {name: getattr(settings, name) for name in NetworkSettings.model_fields}
    given |= {name: getattr(sections, name) for name in TrainingSections.model_fields}
    given["optimizer"] = {**sections.optimizer.model_dump(by_alias=True), **_rate(sections, tuning)}
    return TrainSettings.model_validate(given | {"trainer": trainer.model_dump() | changes})


def _rate(sections: TrainingSections, tuning: Tuning) -> dict[str, float]:
    """Empty where neither the step nor the config of training says one: the optimiser has its own."""
    rate = sections.optimizer.arguments.get("lr")
    if tuning.lr is not None:
        return {"lr": tuning.lr}
    return {} if rate is None else {"lr": rate * tuning.lr_share}
