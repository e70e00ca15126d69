"""Training that feels the rounding of int8, so that int8 afterwards loses less."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)
from torch.nn.utils import parametrize
from typing_extensions import override

from stagewise.compression.networks.tuned import TunedStep, cannot, example_input, last_layer, layers_with_weights
from stagewise.compression.steps import Workshop
from stagewise.tasks.inference import Inference

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d)
_INPUT, _OUTPUT = "input_rounding", "output_rounding"


class Rounding(FakeQuantize):
    """torch's fake quantisation, whose ranges follow what is trained on, never what is only measured."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        """The values as int8 would have them."""
        # Not in train(): Lightning goes back to training without calling it.
        self.enable_observer(self.training)
        rounded: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return rounded


class QuantizationAware(TunedStep):
    """Quantisation-aware training: weights and inputs of dense layers and convolutions are rounded as int8 will.

    Weights symmetrically with a scale per output channel, activations to uint8, as ``Int8Static`` does. Only the
    training feels it: the result is a float network of the same shape, which ``Int8Static`` then quantises.

    Args:
        tuning: see ``TunedStep``.

    Raises:
        ConfigError: a value is out of range.
    """

    def change(self, inference: Inference, workshop: Workshop) -> Inference:  # noqa: ARG002
        """The network as it is: its shape does not change.

        Raises:
            CompressionError: it has no dense layer and no convolution.
        """
        if not layers_with_weights(inference.network, _KINDS):
            why, fix = "it has no dense layer and no convolution", "leave QuantizationAware out for this network"
            raise cannot(type(inference.network).__name__, "trained for int8", why, fix)
        return inference

    @contextmanager
    def held(self, inference: Inference) -> Iterator[None]:
        """Round weights, the inputs of their layers, and the answer; leave the weights as they were before rounding."""
        network, handles = inference.network, []
        layers = layers_with_weights(network, _KINDS)
        last = last_layer(inference, layers)
        for name, layer in layers.items():
            layer.add_module(_INPUT, _activations())
            handles.append(layer.register_forward_pre_hook(_round_input))
            if name == last:
                layer.add_module(_OUTPUT, _activations())
                handles.append(layer.register_forward_hook(_round_output))
            layer.train()  # the weights are looked at there and then
            parametrize.register_parametrization(layer, "weight", _weights())
        _begin_ranges(inference)
        yield
        for handle in handles:
            handle.remove()
        for layer in layers.values():
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
            for name in (_INPUT, _OUTPUT):
                if name in dict(layer.named_children()):
                    delattr(layer, name)


def _begin_ranges(inference: Inference) -> None:
    """Take the first ranges from an example: only then their shapes, which are saved, are known."""
    inference.network.eval()
    for module in inference.network.modules():
        if isinstance(module, Rounding):
            module.train()
    with torch.no_grad():
        inference.network(example_input(inference))


def _weights() -> Rounding:
    return Rounding(  # type: ignore[no-untyped-call]
        observer=MovingAveragePerChannelMinMaxObserver,
        quant_min=-127,
        quant_max=127,
        dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        averaging_constant=1.0,  # the weights of this very step
    )


def _activations() -> Rounding:
    return Rounding(  # type: ignore[no-untyped-call]
        observer=MovingAverageMinMaxObserver,
        quant_min=0,
        quant_max=255,
        dtype=torch.quint8,
        qscheme=torch.per_tensor_affine,
    )


def _round_input(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (layer.get_submodule(_INPUT)(inputs[0]), *inputs[1:])


def _round_output(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:  # noqa: ARG001
    return layer.get_submodule(_OUTPUT)(output)
