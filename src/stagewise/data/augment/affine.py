"""Moving pixels: what shift, rotate and scale share.

Neighbouring affine transforms of a pipeline are one matrix per sample and one interpolation, so three of them
blur (and cost) no more than one.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from stagewise.data.augment.batch import Batch, check_shares, per_image


class Affine(ABC):
    """A transform that is an affine map of pixel positions."""

    takes = "image"

    fill: float
    p: float

    def __post_init__(self) -> None:
        check_shares(p=self.p, fill=self.fill)

    @abstractmethod
    def matrix(self, size: tuple[int, int], keys: Tensor) -> Tensor:
        """Return float32 ``[B, 2, 3]``: output position (x, y, 1) to input position (x, y), in pixels from the centre.

        Args:
            size: height and width of the images.
            keys: int64 ``[B]``, the transform's own streams.
        """

    def __call__(self, batch: Batch, keys: Tensor) -> Batch:
        """Move the images of a batch; what comes from outside an image is ``fill``."""
        height, width = batch.x.shape[-2:]
        return batch.with_x(warp(batch.x, self.matrix((height, width), keys), self.fill))


def identity(keys: Tensor) -> Tensor:
    """Return ``[B, 2, 3]`` matrices that move nothing."""
    return torch.eye(2, 3, device=keys.device).repeat(len(keys), 1, 1)


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Return the matrices of applying ``first`` to the images, then ``second``."""
    # Sums of two products, not a matrix product: those round differently with the batch size.
    product = (first[:, :, :2, None] * second[:, None]).sum(2)
    product[:, :, 2] += first[:, :, 2]
    return product


def warp(x: Tensor, matrix: Tensor, fill: float = 0.0) -> Tensor:
    """Resample ``[B, C, H, W]`` bilinearly by matrices ``[B, 2, 3]``; rows with the identity keep their bits."""
    # A unit step in grid_sample's coordinates is half the image, measured from its centre.
    height, width = x.shape[-2:]
    scale = torch.tensor([2 / width, 2 / height], device=x.device)
    columns = torch.arange(width, device=x.device) - (width - 1) / 2
    rows = torch.arange(height, device=x.device) - (height - 1) / 2
    along, down, offset = (matrix * scale[:, None]).unbind(2)
    start = down[:, None] * rows[:, None] + offset[:, None]
    grid = (along[:, None] * columns[:, None])[:, None] + start[:, :, None]
    source = x - fill if fill else x
    moved = functional.grid_sample(source, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    moved = (moved + fill if fill else moved).clamp_(0, 1)
    still = (matrix == torch.eye(2, 3, device=x.device)).flatten(1).all(1)
    return torch.where(per_image(still), x, moved)
