"""Whole channels removed: fewer weights and less to compute."""

import warnings
from typing import Annotated, Any

import torch_pruning
from annotated_types import Gt, Lt
from torch import nn

from stagewise.compression.networks.tuned import (
    TunedStep,
    cannot,
    example_input,
    last_layer,
    layers_with_weights,
    refusing,
    wrong,
)
from stagewise.compression.steps import Workshop
from stagewise.tasks.inference import Inference

_FIX = "leave Prune out for this network, or try LowRank or Sparsify"


class Prune(TunedStep):
    """Structured pruning by torch-pruning: channels of small weights go, with all that depends on them.

    The last layer keeps its outputs, and attention its width. What is left is trained again.

    Args:
        ratio: share of the channels of each layer that go; half of them leaves about a quarter of the weights.
        round_to: channels are kept in multiples of this; others are slower than more channels would be.
        tuning: see ``TunedStep``.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(
        self,
        *,
        ratio: Annotated[float, Gt(0), Lt(1)],
        round_to: Annotated[int, Gt(0)] = 8,
        **tuning: Any,
    ) -> None:
        super().__init__(**tuning)
        if not 0 < ratio < 1:
            raise wrong(self, f"ratio is {ratio}", "choose a share between 0 and 1, such as 0.5")
        if round_to < 1:
            raise wrong(self, f"round_to is {round_to}", "choose a whole number of at least 1, such as 8")
        self._ratio, self._round_to = ratio, round_to

    def change(self, inference: Inference, workshop: Workshop) -> Inference:  # noqa: ARG002
        """The network with fewer channels; which ones go follows from the weights.

        Raises:
            CompressionError: torch-pruning cannot trace the network, its code counts on fixed sizes, or there is
                nothing to remove.
        """
        network = inference.network
        before = _count(network)
        with refusing(inference, "pruned", _FIX), warnings.catch_warnings():
            # It tells of parameters outside layers, such as positions, and cuts their last axis, as it should.
            warnings.filterwarnings("ignore", "(?s)Unwrapped parameters detected", UserWarning)
            pruner = torch_pruning.pruner.BasePruner(
                network.eval(),
                example_input(inference),
                torch_pruning.importance.GroupMagnitudeImportance(p=2),
                pruning_ratio=self._ratio,
                round_to=self._round_to,
                ignored_layers=_whole(inference),
                # Its defaults are dictionaries that all pruners of a process would share.
                in_channel_groups={},
                out_channel_groups={},
                num_heads={},
            )
            pruner.step()
        if _count(network) == before:
            why = f"no layer has channels that could go (round_to is {self._round_to})"
            raise cannot(type(network).__name__, "pruned", why, _FIX)
        return inference


def _whole(inference: Inference) -> list[nn.Module]:
    """The layers whose outputs stay: the last one, and those of attention, whose code divides them into heads."""
    layers = layers_with_weights(inference.network, (nn.Linear, nn.Conv1d, nn.Conv2d))
    last = last_layer(inference, layers)
    heads = [part for part in inference.network.modules() if hasattr(part, "heads")]
    inside = [layer for part in heads for layer in part.modules() if layer is not part]
    return [*([layers[last]] if last else []), *inside]


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
