"""What a transform takes and gives."""

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Training rows on one device.

    Attributes:
        x: decoded rows ``[B, ...]``. Images are float32 ``[B, C, H, W]`` in [0, 1], tokens int64 ``[B, L]`` with 0 as
            padding, sounds float32 ``[B, T]`` in [-1, 1], tables float32 ``[B, F]``, series float32 ``[B, T, V]``.
        y: class numbers, int64 ``[B]``, or soft labels, float32 ``[B, classes]`` with rows that sum to one; or
            numbers to predict.
        classes: number of classes; 0 where there are none.
    """

    x: Tensor
    y: Tensor
    classes: int

    def with_x(self, x: Tensor) -> "Batch":
        """Return this batch with other images."""
        return replace(self, x=x)

    def soft_y(self) -> Tensor:
        """Return the labels as float32 ``[B, classes]``."""
        if self.y.is_floating_point():
            return self.y
        return (self.y[:, None] == torch.arange(self.classes, device=self.y.device)).to(torch.float32)


class Transform(Protocol):
    """A pure function of a batch and its keys: equal sample and key, equal result, whatever the batch around it.

    Values stay in [0, 1]. Only transforms with ``soft_labels = True`` change ``y`` or look at other rows.
    """

    takes: ClassVar[str]
    """What ``batch.x`` must be: "image", "tokens", "sound", "table", "series"; or "spectrogram", which is what the
    network takes of a sound."""

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Return the transformed batch; ``keys`` is int64 ``[B]``, the transform's own streams."""
        ...


def check_shares(**values: float) -> None:
    """Raise ValueError unless every value lies in [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value}")


def per_image(values: Tensor) -> Tensor:
    """View ``[B]`` as ``[B, 1, 1, 1]``, to meet images."""
    return values.view(-1, 1, 1, 1)
