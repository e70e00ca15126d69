"""The epoch that is kept: chosen as training goes, and its weights held until they are released."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor
from typing_extensions import override

from stagewise.tasks.weights import save_weights
from stagewise.training.callbacks import WeightAverage

NETWORK = "inference.network."
"""Prefix of the network's tensors in the module's state."""


def is_better(value: float, best: float, mode: Literal["min", "max"]) -> bool:
    """Whether a later epoch's value beats the best so far; any number beats one that is none."""
    return value == value and (best != best or (value < best if mode == "min" else value > best))


def kept_epoch(values: Sequence[float], mode: Literal["min", "max"]) -> int:
    """The number of the kept epoch, from 0: the first of the best."""
    best = 0
    for epoch, value in enumerate(values):
        if is_better(value, values[best], mode):
            best = epoch
    return best


class KeptEpoch(Checkpoint):
    """Holds the network's weights at the end of the best epoch so far, and writes them when training is over.

    Averaged weights where there are any. They are a part of every checkpoint, so that a run that goes on has them
    whatever became of other files. A ``Checkpoint``, because Lightning calls those after the module has its metrics.

    Args:
        path: the .safetensors file, written by the first process.
        monitor: the metric, or None to keep the last epoch.
        mode: whether its lower or higher values are better.
    """

    def __init__(self, path: Path, monitor: str | None, mode: Literal["min", "max"]) -> None:
        self._path, self._monitor, self._mode = path, monitor, mode
        self._value: float | None = None
        self._weights: dict[str, Tensor] = {}

    @override
    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return {"value": self._value, "weights": self._weights}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the best so far."""
        self._value, self._weights = state_dict["value"], state_dict["weights"]

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Take the weights if this epoch is the best."""
        if self._monitor is None:
            return
        value = pl_module.epoch_metrics[self._monitor]
        if self._value is None or is_better(value, self._value, self._mode):
            self._value, self._weights = value, _network_weights(trainer)

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Write the file."""
        weights = _network_weights(trainer) if self._monitor is None else self._weights
        if trainer.is_global_zero:
            save_weights(weights, self._path)


def _network_weights(trainer: pl.Trainer) -> dict[str, Tensor]:
    """Copies on the CPU, in the first process; others help to gather."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    averages = [callback.averaged() for callback in callbacks if isinstance(callback, WeightAverage)]
    state = averages[0] if averages else trainer.strategy.lightning_module_state_dict()
    if not trainer.is_global_zero:
        return {}
    return {
        name.removeprefix(NETWORK): tensor.detach().to("cpu", copy=True)
        for name, tensor in state.items()
        if name.startswith(NETWORK)
    }
