"""Training a network that predicts a number with Lightning."""

from typing import Annotated, Any, Literal

from annotated_types import Gt
from torch import Tensor
from typing_extensions import override

from stagewise.data.targets.entries import NumberEntry
from stagewise.tasks.module import TaskModule
from stagewise.tasks.regression.loss import regression_loss


class RegressionModule(TaskModule):
    """Squared, absolute or Huber error of the standardised target.

    The target has mean 0 and standard deviation 1 over the training rows (after its logarithm, where it has one), so
    that a loss and a learning rate mean the same whatever its unit.

    Args:
        criterion: ``mse`` aims at the mean, ``mae`` at the median, ``huber`` at something between the two.
        delta: where ``huber`` turns from a square into a line, in standard deviations of the target.
        given: see ``TaskModule``.

    Raises:
        ValueError: there is no such criterion.
    """

    answers = "number"
    metrics = {
        "train_loss": "min",
        "train_mae": "min",
        "train_mse": "min",
        "val_loss": "min",
        "val_mae": "min",
        "val_mse": "min",
    }
    """``mae`` and ``mse`` are those of the standardised target: in its standard deviations, and their square."""

    def __init__(
        self,
        *,
        criterion: Literal["mse", "mae", "huber"] = "mse",
        delta: Annotated[float, Gt(0)] = 1.0,
        **given: Any,
    ) -> None:
        super().__init__(**given)
        if criterion not in ("mse", "mae", "huber"):
            raise ValueError(f"criterion must be mse, mae or huber, not {criterion!r}")
        self._target = self.schema.target.narrow(NumberEntry)
        self._criterion, self._delta = criterion, delta

    @override
    def prepare_targets(self, y: Tensor) -> Tensor:
        """Standardise numbers ``[N]``, after their logarithm where the target has one; float32."""
        # In the precision in which they are stored: a large mean would eat the digits of a float32.
        y = y.log1p() if self._target.transform == "log1p" else y
        return ((y - self._target.mean) / self._target.std).float()

    @override
    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Mean of the criterion; ``output`` is ``[N, 1]``, ``y`` ``[N]``."""
        return regression_loss(output[:, 0], y, self._criterion, self._delta)

    @override
    def measures(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Mean absolute and mean squared error."""
        error = output[:, 0] - y
        return {"mae": error.abs().mean(), "mse": error.square().mean()}
