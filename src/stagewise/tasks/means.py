"""Loss and further measures over an epoch."""

import torch
from torch import Tensor


def wide(values: Tensor) -> Tensor:
    """The values in float64, so that counts stay exact; float32 on MPS, which has no float64."""
    return values.float() if values.device.type == "mps" else values.double()


class EpochMeans:
    """Running means, every row with the same weight whatever the batch sizes.

    The sums stay on the device as one tensor (value * rows for every name, rows), so that a step waits for
    nothing and several processes need one reduction per epoch.

    Args:
        names: of the measures, "loss" first.
        device: where the batches are.
    """

    def __init__(self, names: tuple[str, ...], device: torch.device) -> None:
        self._names = names
        self.sums = wide(torch.zeros(len(names) + 1, device=device))

    def update(self, means: dict[str, Tensor], rows: int) -> None:
        """Add a batch of ``rows``: its mean of every measure."""
        values = [wide(means[name].detach()) for name in self._names]
        self.sums += torch.stack([*values, torch.ones_like(self.sums[0])]) * rows

    def compute(self, sums: Tensor) -> dict[str, float]:
        """Mean of every measure from these sums (of one process, or added up over all)."""
        *totals, rows = sums.tolist()
        return {name: total / rows for name, total in zip(self._names, totals, strict=True)}
