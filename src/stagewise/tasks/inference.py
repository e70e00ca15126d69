"""From stored rows to answers: the module that is evaluated, exported and served."""

from abc import abstractmethod
from typing import ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from stagewise.data.schema import DataSchema


class Inputs(Protocol):
    """The part of the graph between the stored rows and the network; one class per kind of input."""

    network_shape: tuple[int, ...]
    """The ``input_shape`` of networks that take this kind of input."""

    def decode(self, raw: Tensor) -> Tensor:
        """What augmentation sees of a raw batch."""

    def __call__(self, x: Tensor) -> Tensor:
        """What the network takes, from what ``decode`` gave."""

    def example(self) -> tuple[Tensor, dict[int, str]]:
        """A raw batch of two rows, and the names of the axes that are free in the exported graph."""

    def hostile(self, generator: np.random.Generator) -> dict[str, NDArray]:  # type: ignore[type-arg]
        """Raw rows at the edges of what may come, by name."""


class Inference(nn.Module):
    """A network together with the preprocessing it was trained with and the decoding of its answer.

    Args:
        network: maps what ``inputs`` gives to ``schema.target.outputs`` numbers per row.
        inputs: see ``Inputs``.
        schema: of the data.
    """

    outputs: ClassVar[tuple[str, ...]]
    """Names of what ``forward`` returns."""

    def __init__(self, network: nn.Module, inputs: nn.Module, schema: DataSchema) -> None:
        super().__init__()
        self.network = network
        self.inputs = inputs
        self.schema = schema

    @property
    def source(self) -> Inputs:
        """The inputs module by its protocol."""
        return cast(Inputs, self.inputs)

    def decode(self, raw: Tensor) -> Tensor:
        """What augmentation sees of a raw batch."""
        return self.source.decode(raw)

    def features(self, x: Tensor) -> Tensor:
        """What the network takes, from what ``decode`` gave."""
        taken: Tensor = self.inputs(x)
        return taken

    def answer(self, raw: Tensor) -> Tensor:
        """The network's own output for a raw batch, as float32."""
        output: Tensor = self.network(self.features(self.decode(raw)))
        return output.float()

    @abstractmethod
    def forward(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The answers for a raw batch, one tensor per name in ``outputs``."""
