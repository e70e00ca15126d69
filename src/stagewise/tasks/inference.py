"""From raw images to answers: the module that is evaluated, exported and served."""

import torch
from torch import Tensor, nn

from stagewise.data.schema import DataSchema


class ImageClassifier(nn.Module):
    """A network together with the preprocessing it was trained with and the decoding of its answer.

    Args:
        network: maps float ``[N, C, H, W]`` to logits ``[N, K]``.
        schema: gives the mean and standard deviation per channel (of values in [0, 1]).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, schema: DataSchema) -> None:
        super().__init__()
        feature = schema.features[0]
        self.network = network
        self.register_buffer("mean", torch.tensor(feature.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(feature.std).view(-1, 1, 1))

    def to_unit(self, image: Tensor) -> Tensor:
        """Turn uint8 ``[N, H, W, C]`` into float ``[N, C, H, W]`` in [0, 1], channels-last in memory."""
        return image.permute(0, 3, 1, 2).float().div(255)

    def normalize(self, x: Tensor) -> Tensor:
        """Centre and scale float ``[N, C, H, W]`` in [0, 1] by the statistics of the training split.

        The result has the dtype of the network's weights.
        """
        return ((x - self.mean) / self.std).to(self.mean.dtype)

    def logits(self, image: Tensor) -> Tensor:
        """Unnormalised log-probabilities ``[N, K]`` of uint8 images ``[N, H, W, C]``."""
        logits: Tensor = self.network(self.normalize(self.to_unit(image)))
        return logits

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Label int64 ``[N]`` and probabilities float32 ``[N, K]`` of uint8 images ``[N, H, W, C]``."""
        probabilities = self.logits(image).float().softmax(dim=1)
        return probabilities.argmax(dim=1), probabilities
