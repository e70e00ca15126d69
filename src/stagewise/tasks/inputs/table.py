"""Tables: raw columns to standardised numbers and codes that a network can look up."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stagewise.data.features.table_entry import TableEntry
from stagewise.data.schema import DataSchema

LIMIT = 10.0
"""Standard deviations at which a number is cut: beyond them lie errors of entry and values no training row had."""

_NOISE = 4
_HUGE = 1e30
_GAPS = 8
"""Numbers of which each is missing alone in a row; more would say no more."""


class TableInputs(nn.Module):
    """Fills and standardises numbers, and says which were missing.

    A missing number (NaN) becomes the median of the training rows; every number is centred and scaled by their mean
    and standard deviation and cut at ``LIMIT`` standard deviations. Each column of which the training rows lack values
    has one more, 1 where the number is missing and 0 elsewhere. Codes stay as they are; one that does not exist becomes
    0, as a category never seen.

    The result is float ``[N, numbers + categories]``: the standardised numbers, the columns of what is missing, the
    codes.

    Attributes:
        network_shape: (numbers with the columns of what is missing, codes of the first category column, ...).
    """

    mean: Tensor
    std: Tensor
    median: Tensor
    gaps: Tensor
    codes: Tensor

    def __init__(self, schema: DataSchema) -> None:
        super().__init__()
        columns = schema.feature.narrow(TableEntry).columns
        numbers = [column for column in columns if column.type != "category"]
        codes = [column.codes for column in columns if column.type == "category"]
        gaps = [place for place, column in enumerate(numbers) if column.missing]
        self._count = len(numbers)
        self.network_shape: tuple[int, ...] = (len(numbers) + len(gaps), *codes)
        figures = [(column.mean or 0.0, column.std or 1.0, column.median or 0.0) for column in numbers]
        mean, std, median = torch.tensor(figures, dtype=torch.float32).view(len(numbers), 3).unbind(1)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        self.register_buffer("median", median.clone())
        self.register_buffer("gaps", torch.tensor(gaps, dtype=torch.int64))
        self.register_buffer("codes", torch.tensor(codes, dtype=torch.float32))

    def decode(self, raw: Tensor) -> Tensor:
        """The stored float32 ``[N, F]`` as it is."""
        return raw

    def forward(self, x: Tensor) -> Tensor:
        """Map float ``[N, F]``, numbers first, to float ``[N, numbers + categories]``."""
        numbers, codes = x[:, : self._count], x[:, self._count :]
        missing = torch.isnan(numbers)
        scaled = (torch.where(missing, self.median, numbers) - self.mean) / self.std
        parts = [scaled.clamp(-LIMIT, LIMIT)]
        if len(self.gaps):
            parts.append(missing.to(scaled.dtype).index_select(1, self.gaps))
        if codes.shape[1]:
            # Comparing with NaN gives False, so that a missing code is unknown too.
            parts.append(torch.where((codes >= 0) & (codes < self.codes), codes, torch.zeros_like(codes)))
        return torch.cat(parts, 1).to(self.mean.dtype)

    def example(self) -> tuple[Tensor, dict[int, str]]:
        """Two rows, the medians with unknown categories and nothing but missing values; and the free axis."""
        known = torch.cat([self.median.cpu().float(), torch.zeros(len(self.codes))])
        return torch.stack([known, self._empty()]), {0: "batch"}

    def hostile(self, generator: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        """Rows at the edges of what may come, float32 ``(F,)`` each, and noise around the training rows."""
        last = self.codes.cpu().numpy() - 1
        none = np.zeros(len(last))
        numbers: dict[str, Any] = {
            "all missing": (self._empty()[: self._count].numpy(), none),
            "all zero": (np.zeros(self._count), none),
            "far below": (np.full(self._count, -_HUGE), last),
            "far above": (np.full(self._count, _HUGE), last),
            "all infinite": (np.full(self._count, np.inf), last),
            "all minus infinite": (np.full(self._count, -np.inf), none),
            "all one number": (np.full(self._count, 7.0), none),
            "codes that are none": (self.median.cpu().numpy(), last + 1),
            "codes below all": (self.median.cpu().numpy(), none - 1),
            "codes missing": (self.median.cpu().numpy(), np.full(len(last), np.nan)),
        }
        for place in range(min(self._count, _GAPS)):
            gap = np.where(np.arange(self._count) == place, np.nan, self.median.cpu().numpy())
            numbers[f"number {place} missing"] = (gap, last)
        mean, std = self.mean.cpu().numpy(), self.std.cpu().numpy()
        for number in range(_NOISE):
            drawn = mean + std * generator.normal(size=self._count)
            numbers[f"noise {number}"] = (drawn, np.floor(generator.random(len(last)) * (last + 1)))
        return {name: np.concatenate(parts).astype(np.float32) for name, parts in numbers.items()}

    def _empty(self) -> Tensor:
        return torch.cat([torch.full((self._count,), torch.nan), torch.zeros(len(self.codes))])
