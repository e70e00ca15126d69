"""Rectangles in images, as masks."""

import torch
from torch import Tensor


def box_mask(start: Tensor, stop: Tensor, size: tuple[int, int]) -> Tensor:
    """Return bool ``[B, 1, H, W]``, true inside one rectangle per image.

    Args:
        start: first row and column inside, ``[B, 2]``.
        stop: first row and column beyond, ``[B, 2]``; both may lie outside the image.
        size: height and width of the images.
    """
    inside_rows, inside_columns = (
        (place >= start[:, axis, None]) & (place < stop[:, axis, None])
        for axis, place in enumerate(torch.arange(length, device=start.device) for length in size)
    )
    return (inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]
