"""What a candidate is made of: steps that change the network, then steps that change its graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from stagewise.config.schema.compress import CompressSettings
from stagewise.data.schema import DataSchema
from stagewise.tasks.inference import Inference

if TYPE_CHECKING:
    # A step that trains does not follow from how graphs are quantised.
    from stagewise.compression.quantization import CalibrationRows


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a step that trains works with."""

    settings: CompressSettings
    """Of the stage; ``settings.training`` holds the sections that the train stage got."""
    schema: DataSchema
    processed: Path
    """data/processed."""
    work: Path
    """Folder for checkpoints and live logs."""
    key: str
    """Names all that enters the step; a killed training of this key goes on from its last checkpoint."""
    teacher: Inference
    """The trained network before any step, in eval mode; never changed."""


@runtime_checkable
class NetworkStep(Protocol):
    """Makes another network of a network; both take the same rows and give the same kind of answer."""

    def run(self, inference: Inference, workshop: Workshop) -> Inference:
        """The new network, fine-tuned, in eval mode; ``inference`` stays as it is.

        Equal arguments give equal weights.

        Raises:
            CompressionError: this kind of network cannot be changed so.
            TrainingError: see ``stagewise.training.train``.
        """

    def restore(self, inference: Inference, weights: Path, workshop: Workshop) -> Inference:
        """What ``run`` gave for the same arguments, from its saved weights, without training.

        Raises:
            TrainingError: the weights are not those of the new network.
        """


@runtime_checkable
class GraphStep(Protocol):
    """Makes another ONNX graph of a graph."""

    def __call__(self, source: Path, calibration: CalibrationRows, out: Path) -> dict[str, Any] | None:
        """Write the new graph; return what is worth knowing of how it was made, by name, for candidates.json.

        Raises:
            CompressionError: this graph cannot be changed so.
        """
