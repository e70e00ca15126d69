"""Layers as products of two thinner ones."""

from typing import Annotated, Any

import torch
from annotated_types import Gt, Lt
from torch import Tensor, nn

from stagewise.compression.networks.tuned import (
    TunedStep,
    cannot,
    last_layer,
    layers_with_weights,
    refusing,
    wrong,
)
from stagewise.compression.steps import Workshop
from stagewise.tasks.inference import Inference

_FIX = "leave LowRank out for this network, or try Prune or Sparsify"
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


class LowRank(TunedStep):
    """Truncated singular value decomposition of dense layers and convolutions.

    A layer becomes two where they have fewer weights: for a convolution, one with fewer maps and one of size 1. The
    last layer stays as it is. What comes of it is trained again.

    Args:
        ratio: share of each layer's weights that go.
        energy: instead of ``ratio``: share of the sum of squares of each layer's weights that is kept, by which layers
            lose as much as they can spare.
        tuning: see ``TunedStep``.

    Raises:
        ConfigError: both or none of ``ratio`` and ``energy``, or a value out of range.
    """

    def __init__(
        self,
        *,
        ratio: Annotated[float, Gt(0), Lt(1)] | None = None,
        energy: Annotated[float, Gt(0), Lt(1)] | None = None,
        **tuning: Any,
    ) -> None:
        super().__init__(**tuning)
        if (ratio is None) == (energy is None):
            raise wrong(self, "it takes either ratio or energy", "give one of them, such as ratio: 0.5")
        for name, share in {"ratio": ratio, "energy": energy}.items():
            if share is not None and not 0 < share < 1:
                raise wrong(self, f"{name} is {share}", "choose a share between 0 and 1")
        self._ratio, self._energy = ratio, energy

    def change(self, inference: Inference, workshop: Workshop) -> Inference:  # noqa: ARG002
        """The network with its layers divided, nearest to what it was.

        Raises:
            CompressionError: its code needs the layers as they are, or none would have fewer weights.
        """
        network, divided = inference.network, 0
        with refusing(inference, "factorised", _FIX), torch.no_grad():
            layers = layers_with_weights(network, (nn.Linear, *_CONVOLUTIONS))
            last = last_layer(inference, layers)
            for name, layer in layers.items():
                pair = None if name == last else self._divide(layer)
                if pair is not None:
                    network.set_submodule(name, pair)
                    divided += 1
        if not divided:
            raise cannot(type(network).__name__, "factorised", "no layer would have fewer weights", _FIX)
        return inference

    def _divide(self, layer: nn.Module) -> nn.Sequential | None:
        weight = layer.get_parameter("weight")
        if getattr(layer, "groups", 1) != 1:
            return None
        # In float64, so that the threads of the decomposition matter less.
        left, values, right = torch.linalg.svd(weight.double().flatten(1), full_matrices=False)
        rank = self._rank(values, *weight.flatten(1).shape)
        if rank * (weight.shape[0] + weight[0].numel()) >= weight.numel():
            return None
        root = values[:rank].sqrt()
        return _pair(layer, (root[:, None] * right[:rank]), left[:, :rank] * root)

    def _rank(self, values: Tensor, rows: int, columns: int) -> int:
        if self._energy is None:
            return max(1, int((1 - (self._ratio or 0)) * rows * columns / (rows + columns)))
        kept = values.square().cumsum(0) / values.square().sum()
        return int((kept < self._energy).sum()) + 1


def _pair(layer: nn.Module, first: Tensor, second: Tensor) -> nn.Sequential:
    """Two layers that do what a layer of weights ``second @ first`` does, with its bias."""
    rank, bias = len(first), getattr(layer, "bias", None)
    parts: tuple[nn.Module, nn.Module]
    if isinstance(layer, nn.Linear):
        parts = nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias is not None)
    elif isinstance(layer, _CONVOLUTIONS):
        kind: Any = type(layer)
        shared = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "padding_mode")}
        parts = (
            kind(layer.in_channels, rank, layer.kernel_size, bias=False, **shared),
            kind(rank, layer.out_channels, 1, bias=bias is not None),
        )
    else:  # by construction; narrows the type
        raise TypeError(type(layer).__name__)
    for part, values in zip(parts, (first, second), strict=True):
        weight = part.get_parameter("weight")
        weight.copy_(values.reshape(weight.shape))
    if bias is not None:
        parts[1].get_parameter("bias").copy_(bias)
    return nn.Sequential(*parts)
