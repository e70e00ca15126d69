"""Loss and accuracy over an epoch."""

import torch
from torch import Tensor


class EpochMeans:
    """Running means of loss and accuracy, every row with the same weight whatever the batch sizes.

    The sums stay on the device as one tensor ``[3]`` (loss * rows, right answers, rows), so that a step waits for
    nothing and several processes need one reduction per epoch.
    """

    def __init__(self, device: torch.device) -> None:
        # MPS has no float64; there, and only there, sums are float32.
        self.sums = torch.zeros(3, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)

    def update(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        """Add a batch: its mean loss, logits ``[N, K]``, labels int64 ``[N]`` or probabilities ``[N, K]``."""
        labels = y if y.ndim == 1 else y.argmax(dim=1)
        right = (logits.detach().argmax(dim=1) == labels).sum()
        self.sums += torch.stack([loss.detach() * len(y), right, torch.full_like(right, len(y))]).to(self.sums.dtype)

    def compute(self, sums: Tensor) -> dict[str, float]:
        """Mean loss and accuracy from these sums (of one process, or added up over all)."""
        loss, right, rows = sums.tolist()
        return {"loss": loss / rows, "accuracy": right / rows}
