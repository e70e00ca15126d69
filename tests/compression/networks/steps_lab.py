"""What the tests of network steps share."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts import CLASS_QUALITY, IMAGE_NETWORK
from torch import nn

from stagewise.compression.session import GraphSession
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSettings
from stagewise.config.targets import build
from stagewise.tasks.inference import Inference
from stagewise.tasks.weights import save_weights

TRAINING: dict[str, Any] = {
    "module": {"_target_": "stagewise.tasks.classification.module.ClassificationModule"},
    "augment": {"transforms": [{"_target_": "stagewise.data.augment.shift.Shift"}]},
    "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.005},
    "scheduler": {"_target_": "stagewise.training.schedules.one_cycle"},
    "trainer": {
        "max_epochs": 8,
        "batch_size": 64,
        "monitor": "val_loss",
        "mode": "min",
        "accelerator": "cpu",
        "loggers": ["csv"],
    },
}
STUDENT = {"_target_": "stagewise.models.cnn.CNN", "channels": [8, 16], "hidden": 16}


class Single(nn.Module):
    """Nothing but its head."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1))


def make_settings(model: dict[str, Any], **trainer: Any) -> CompressSettings:
    sections = {**TRAINING, "trainer": {**TRAINING["trainer"], **trainer}}
    section = {"candidates": {"fp32": {"_target_": "stagewise.compression.candidates.float32.Float32"}}}
    whole = {"seed": 3, "threads": 1, "model": model, **IMAGE_NETWORK, "quality": CLASS_QUALITY}
    return CompressSettings.model_validate({**whole, "compress": section, "training": sections})


def make_step(name: str, **arguments: Any) -> Any:
    """Build a step as a config names it: ``prune.Prune``."""
    return build(Target.model_validate({"_target_": f"stagewise.compression.networks.{name}", **arguments}))


def accuracy(graph: Path, trained: Any) -> float:
    rows = trained.rows("validation")
    labels = GraphSession(graph, 1)(rows.take(np.arange(len(rows))))[0]
    return float((labels == rows.targets[:]).mean())


def as_bytes(inference: Inference, path: Path) -> bytes:
    save_weights(inference.network.state_dict(), path)
    return path.read_bytes()
