"""What a network learns from another one beside its labels (Hinton et al., 2015)."""

from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import kl_div, mse_loss

from stagewise.errors import ConfigError
from stagewise.tasks.inference import Inference

TEMPERATURE, ALPHA = 2.0, 0.5


class Distillation:
    """A trained network as the ``teacher`` of a ``TaskModule``: sees the batch of the student, augmented alike.

    Args:
        teacher: is copied.
        classes: whether the outputs are logits of classes, whose distributions are compared; else the squared
            difference of the outputs counts.
        temperature: above 1, the teacher's less likely classes weigh more; for classes only.
        alpha: share of the teacher in the loss; the rest is the loss of the labels.
    """

    def __init__(
        self, teacher: Inference, *, classes: bool, temperature: float = TEMPERATURE, alpha: float = ALPHA
    ) -> None:
        self._network = deepcopy(teacher.network).requires_grad_(False).eval()
        self._classes, self._temperature, self._alpha = classes, temperature, alpha

    def __call__(self, x: Tensor, output: Tensor, loss: Tensor) -> Tensor:
        """The loss to minimise: ``alpha * T^2 * KL(teacher || student)``, or ``alpha * MSE``, ``+ (1 - alpha) * loss``.

        Args:
            x: what the network takes.
            output: the student's, float32 ``[N, ...]``.
            loss: of the labels.
        """
        with torch.no_grad():
            wanted: Tensor = self._beside(output, x)(x).float()
        if not self._classes:
            return self._alpha * mse_loss(output, wanted) + (1 - self._alpha) * loss
        scaled, target = (values / self._temperature for values in (output, wanted))
        apart = kl_div(scaled.log_softmax(1), target.log_softmax(1), reduction="batchmean", log_target=True)
        return self._alpha * self._temperature**2 * apart + (1 - self._alpha) * loss

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: the module is copied where its weights are averaged, and the teacher never changes."""
        return self

    def _beside(self, output: Tensor, x: Tensor) -> torch.nn.Module:
        """The network on the student's device, and in its precision where that is not float32 throughout."""
        return self._network.to(output.device, x.dtype if x.is_floating_point() else None)


def check_distillation(temperature: Any, alpha: Any, step: str) -> None:
    """Refuse a temperature that is not above 0 and a share that is not above 0 and at most 1.

    Raises:
        ConfigError: as said.
    """
    if not temperature > 0:
        raise ConfigError(
            f"{step}: temperature is {temperature}",
            where="compress.candidates",
            why="the logits are divided by it",
            fix="choose a number above 0; 2 is usual",
        )
    if not 0 < alpha <= 1:
        raise ConfigError(
            f"{step}: alpha is {alpha}",
            where="compress.candidates",
            why="it is the share of the teacher in the loss",
            fix="choose a number above 0 and at most 1; 0.5 is usual",
        )
