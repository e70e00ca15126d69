"""Building the network of a run, anew or with its trained weights (without Lightning)."""

import contextlib
from pathlib import Path

import torch
from torch import nn

from stagewise.config.schema.train import NetworkSettings
from stagewise.config.targets import build
from stagewise.data.schema import DataSchema
from stagewise.errors import ConfigError
from stagewise.tasks.weights import load_weights

WEIGHTS = "model.safetensors"
"""Name of the weights file in models/trained/."""


def set_threads(threads: int) -> None:
    """Let torch use this many CPU threads; sums round differently with another number."""
    torch.set_num_threads(threads)
    # Eager mode runs one operator at a time. torch allows this call only once, before the first parallel work.
    if torch.get_num_interop_threads() != 1:
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(1)


def build_inference(settings: NetworkSettings, schema: DataSchema) -> nn.Module:
    """The inference module around a freshly initialised network, which is a function of ``settings.seed``.

    Raises:
        ConfigError: the network cannot take inputs of this shape, or does not know an argument.
    """
    height, width, channels = schema.features[0].shape
    torch.manual_seed(settings.seed)
    try:
        network = build(settings.model, input_shape=(channels, height, width), outputs=len(schema.target.classes))
    except ValueError as error:
        raise ConfigError(
            f"{settings.model.target} cannot be built for images of {height}x{width}x{channels}",
            where="model",
            why=str(error),
            fix="change the model's arguments, or data.feature.size",
        ) from error
    inference: nn.Module = build(settings.inference, network=network, schema=schema)
    return inference


def load_inference(settings: NetworkSettings, schema: DataSchema, folder: Path) -> nn.Module:
    """The inference module with the weights of ``folder`` (models/trained), in eval mode.

    Raises:
        ConfigError: as ``build_inference``.
        TrainingError: the weights are missing, damaged, or those of another network.
    """
    inference = build_inference(settings, schema)
    load_weights(inference.get_submodule("network"), folder / WEIGHTS)
    return inference.eval()
