"""Building the network of a run, anew or with its trained weights (without Lightning)."""

import contextlib
from pathlib import Path
from typing import Any

import torch

from stagewise.config.schema.train import NetworkSettings
from stagewise.config.targets import build
from stagewise.data.schema import DataSchema
from stagewise.errors import ConfigError
from stagewise.tasks.inference import Inference
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


def build_inference(settings: NetworkSettings, schema: DataSchema) -> Inference:
    """The inference module around a freshly initialised network, which is a function of ``settings.seed``.

    Raises:
        ConfigError: the network cannot take inputs of this shape, or does not know an argument.
    """
    inputs: Any = build(settings.inputs, schema=schema)
    torch.manual_seed(settings.seed)
    try:
        network = build(settings.model, input_shape=inputs.network_shape, outputs=schema.target.outputs)
    except ValueError as error:
        shape = "x".join(map(str, inputs.network_shape))
        raise ConfigError(
            f"{settings.model.target} cannot be built for {schema.feature.kind} inputs of {shape}",
            where="model",
            why=str(error),
            fix="change the model's arguments, or data.feature",
        ) from error
    inference: Inference = build(settings.inference, network=network, inputs=inputs, schema=schema)
    return inference


def load_inference(settings: NetworkSettings, schema: DataSchema, folder: Path) -> Inference:
    """The inference module with the weights of ``folder`` (models/trained), in eval mode.

    Raises:
        ConfigError: as ``build_inference``.
        TrainingError: the weights are missing, damaged, or those of another network.
    """
    inference = build_inference(settings, schema)
    load_weights(inference.get_submodule("network"), folder / WEIGHTS)
    return inference.eval()
