"""The transforms of a config, one after another."""

from itertools import groupby

import torch
from torch import Tensor

from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.data.augment import random
from stagewise.data.augment.affine import Affine, compose, warp
from stagewise.data.augment.batch import Batch, Transform
from stagewise.errors import ConfigError

ON_FEATURES = ("spectrogram",)
"""What transforms take that work on the network's input instead of on decoded rows."""


class Augmentation:
    """The transforms of the ``augment`` group as one pure function of (rows, seed, epoch, sample indices).

    Args:
        transforms: targets below ``stagewise.data.augment``, applied in this order.
        seed: the project's seed.

    Raises:
        ConfigError: a transform cannot be built from its arguments.
    """

    def __init__(self, transforms: list[Target], seed: int) -> None:
        self.seed = seed
        numbered = [(number, _build(target, number)) for number, target in enumerate(transforms)]
        # Neighbours that only move pixels (and fill alike) share one interpolation.
        self._groups = [list(group) for _, group in groupby(numbered, key=_group_of)]

    @property
    def soft_labels(self) -> bool:
        """Whether labels come out as float32 ``[B, classes]`` (mixup, cutmix) instead of class numbers."""
        return any(getattr(transform, "soft_labels", False) for group in self._groups for _, transform in group)

    @torch.no_grad()
    def __call__(
        self, x: Tensor, y: Tensor, index: Tensor, epoch: int, classes: int, *, on_features: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Augment rows for one epoch.

        Args:
            x: decoded rows ``[B, ...]``: an image is float32 ``[B, C, H, W]`` in [0, 1].
            y: int64 ``[B]``, or float32 ``[B, classes]``.
            index: int64 ``[B]``, on the device of ``x``: the rows' places in the data set.
            epoch: any integer; another one draws anew.
            classes: number of classes; 0 where there are none.
            on_features: apply the transforms of what the network takes, instead of those of decoded rows.

        Returns:
            Rows like ``x``, and labels: ``y``, or soft ones where a transform mixes rows.

        Raises:
            ConfigError: a transform cannot be applied to such rows.
        """
        groups = [group for group in self._groups if (group[0][1].takes in ON_FEATURES) is on_features]
        if not groups:
            return x, y
        batch = Batch(x, y, classes)
        keys = random.keys(self.seed, epoch, index)
        for group in groups:
            batch = _apply(group, batch, keys)
        return batch.x, batch.y


def _build(target: Target, number: int) -> Transform:
    try:
        transform: Transform = build(target)
    except ValueError as error:
        raise _refusal(f"{target.target} cannot be built", number, error) from error
    return transform


def _refusal(what: str, number: int, error: ValueError) -> ConfigError:
    return ConfigError(what, where=f"augment.transforms[{number}]", why=str(error), fix="change it in conf/augment/")


def _group_of(numbered: tuple[int, Transform]) -> tuple[int, float]:
    number, transform = numbered
    return (-1, transform.fill) if isinstance(transform, Affine) else (number, 0.0)


def _apply(group: list[tuple[int, Transform]], batch: Batch, keys: Tensor) -> Batch:
    number, transform = group[0]
    own = random.derive(keys, number)
    if not isinstance(transform, Affine):
        try:
            return transform(batch, own)
        except ValueError as error:
            raise _refusal(f"{type(transform).__name__} cannot be applied to these rows", number, error) from error
    height, width = batch.x.shape[-2:]
    matrix = transform.matrix((height, width), own)
    for number, following in group[1:]:
        if isinstance(following, Affine):
            matrix = compose(matrix, following.matrix((height, width), random.derive(keys, number)))
    return batch.with_x(warp(batch.x, matrix, transform.fill))
