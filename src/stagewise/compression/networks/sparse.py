"""Single weights set to zero: nothing is faster, but the file compresses well."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Annotated, Any

from annotated_types import Gt, Lt
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from stagewise.compression.networks.tuned import TunedStep, cannot, layers_with_weights, wrong
from stagewise.compression.steps import Workshop
from stagewise.tasks.inference import Inference

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d)


class Mask(nn.Module):
    """Keeps weights at zero where ``mask`` is zero."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """The weights that count."""
        return weight * self.mask


class Sparsify(TunedStep):
    """Unstructured pruning by torch: of all weights of dense layers and convolutions, the smallest become zero.

    They stay zero while the others are trained again.

    Args:
        ratio: share of the weights that become zero.
        tuning: see ``TunedStep``.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(self, *, ratio: Annotated[float, Gt(0), Lt(1)], **tuning: Any) -> None:
        super().__init__(**tuning)
        if not 0 < ratio < 1:
            raise wrong(self, f"ratio is {ratio}", "choose a share between 0 and 1, such as 0.8")
        self._ratio = ratio

    def change(self, inference: Inference, workshop: Workshop) -> Inference:  # noqa: ARG002
        """The network as it is: its shape does not change.

        Raises:
            CompressionError: it has no dense layer and no convolution.
        """
        if not layers_with_weights(inference.network, _KINDS):
            why = "it has no dense layer and no convolution"
            raise cannot(type(inference.network).__name__, "made sparse", why, "leave Sparsify out for this network")
        return inference

    @contextmanager
    def held(self, inference: Inference) -> Iterator[None]:
        """Mask the smallest weights, and leave them zero."""
        layers = layers_with_weights(inference.network, _KINDS)
        # torch's own masks are no part of a module that can be copied once it has run; so only what they are is taken.
        scratch = {name: deepcopy(layer) for name, layer in layers.items()}
        prune.global_unstructured(
            [(layer, "weight") for layer in scratch.values()], prune.L1Unstructured, amount=self._ratio
        )
        for name, layer in layers.items():
            mask = scratch[name].get_buffer("weight_mask").clone()
            parametrize.register_parametrization(layer, "weight", Mask(mask))
        yield
        for layer in layers.values():
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
