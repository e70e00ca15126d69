"""What mixup and cutmix share: partners within the batch and how much of each to take."""

import torch
from torch import Tensor
from torch.nn import functional

from stagewise.data.augment import random
from stagewise.data.augment.batch import Batch, check_shares

ROUNDS = 24
"""Proposals per Beta draw; at alpha 1, the worst, none is accepted once in 17 million draws."""


def check_mixing(alpha: float, p: float) -> None:
    """Raise ValueError unless ``0 < alpha <= 1`` and ``p`` is a probability."""
    check_shares(p=p)
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is a parameter of the Beta distribution with 0 < alpha <= 1, not {alpha}")


def partners(keys: Tensor, stream: int) -> Tensor:
    """Return a row number per row, int64 ``[B]``: a random cycle through the batch, so none is its own (if B > 1)."""
    order = random.derive(keys, stream).argsort(stable=True)
    return torch.empty_like(order).scatter_(0, order, order.roll(1))


def beta(keys: Tensor, stream: int, alpha: float) -> Tensor:
    """Draw float32 ``[B]`` from Beta(alpha, alpha), ``alpha <= 1``, by the method of Jöhnk.

    Of uniform pairs (u, v), the first with u**(1/alpha) + v**(1/alpha) <= 1 gives the share of its first term.
    """
    # Logarithms, since the powers of a small alpha underflow; 2**-25 keeps zero out.
    logs = (random.uniform(keys, stream, (ROUNDS, 2)) + 2**-25).log_().div_(alpha)
    accepted = logs.logsumexp(2) <= 0
    first = accepted.to(torch.uint8).argmax(1)
    difference = (logs[..., 0] - logs[..., 1]).gather(1, first[:, None])
    return difference.squeeze(1).sigmoid()


def blend_labels(batch: Batch, partner: Tensor, share: Tensor) -> Tensor:
    """Return soft labels float32 ``[B, classes]``: ``share`` ``[B]`` of the row's own, the rest of its partner's."""
    soft = batch.soft_y()
    return functional.normalize(soft * share[:, None] + soft[partner] * (1 - share[:, None]), p=1, dim=1)
