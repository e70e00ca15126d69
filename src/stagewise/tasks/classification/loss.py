"""The classification loss: class weights, label smoothing, soft labels."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from stagewise.errors import ConfigError

ClassWeights = str | list[float] | None


def class_weights(choice: ClassWeights, counts: list[int]) -> Tensor | None:
    """Weight of every class, float ``[K]``, or None for equal weights.

    Args:
        choice: None; "balanced" for rows / (K * rows of the class), so that every class weighs the same
            in total and a row weighs 1 on average; or one weight per class.
        counts: training rows of each class.

    Raises:
        ConfigError: another word, or a list that has not one positive weight per class.
    """
    if choice is None:
        return None
    if choice == "balanced":
        rows = torch.tensor(counts, dtype=torch.float64)
        return (rows.sum() / (len(counts) * rows.clamp(min=1))).float()
    if isinstance(choice, str) or len(choice) != len(counts) or min(choice) <= 0:
        raise ConfigError(
            f"class_weights {choice!r} cannot be used",
            where="task.module.class_weights",
            fix=f'write null, "balanced", or a list of {len(counts)} positive weights, one per class',
        )
    return torch.tensor(choice, dtype=torch.float32)


def classification_loss(logits: Tensor, y: Tensor, weight: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of logits ``[N, K]``: the sum over the rows (each times its class weight) divided by N.

    Dividing by N, not by the sum of the weights, makes the mean over equal shares of a batch the value
    of the whole batch: several devices or accumulated batches give the gradient of one large batch.

    Args:
        logits: float ``[N, K]``.
        y: int64 ``[N]``, or probabilities float ``[N, K]``.
        weight: float ``[K]``.
        smoothing: share of the label that is spread over all classes.
    """
    return cross_entropy(logits, y, weight=weight, label_smoothing=smoothing, reduction="sum") / len(y)
