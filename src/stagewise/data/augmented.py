"""Augmented copies of stored rows, for offline copies and the contact sheet. The one user of torch here."""

import numpy as np
from numpy.typing import NDArray

from stagewise.config.schema.data import AugmentSection

BLOCK = 256
"""Rows augmented at a time."""


class Augmenter:
    """Applies the configured transforms to stored uint8 rows (n, H, W, C).

    Equal arguments give equal bits; ``threads`` is set because sums round differently with another number.

    Raises:
        ConfigError: a transform cannot be built.
    """

    def __init__(self, augment: AugmentSection, seed: int, threads: int) -> None:
        import torch  # takes seconds, and most runs of preprocess augment nothing

        from stagewise.data.augment.pipeline import Augmentation

        torch.set_num_threads(threads)
        self._augmentation = Augmentation(augment.transforms, seed)

    @property
    def soft_labels(self) -> bool:
        """Whether a transform mixes rows, so that a row belongs to several classes in part."""
        return self._augmentation.soft_labels

    def __call__(
        self,
        values: NDArray[np.uint8],
        targets: NDArray[np.int64],
        index: NDArray[np.int64],
        copy: int,
        classes: int,
    ) -> NDArray[np.uint8]:
        """Copy number ``copy`` of rows that have the places ``index`` in the training split."""
        blocks = [slice(begin, begin + BLOCK) for begin in range(0, len(values), BLOCK)]
        return np.concatenate([self._block(values[b], targets[b], index[b], copy, classes) for b in blocks])

    def _block(
        self,
        values: NDArray[np.uint8],
        targets: NDArray[np.int64],
        index: NDArray[np.int64],
        copy: int,
        classes: int,
    ) -> NDArray[np.uint8]:
        import torch

        x = torch.tensor(values).permute(0, 3, 1, 2).float() / 255
        x, _ = self._augmentation(x, torch.tensor(targets), torch.tensor(index), copy, classes)
        rows = (x * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        return rows.contiguous().numpy()
