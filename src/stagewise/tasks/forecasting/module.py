"""Training a forecaster with Lightning."""

from typing import Annotated, Any, Literal

from annotated_types import Gt
from torch import Tensor
from typing_extensions import override

from stagewise.data.features.series_entry import SeriesTarget
from stagewise.tasks.forecasting.loss import CRITERIA, forecast_loss
from stagewise.tasks.module import TaskModule


class ForecastingModule(TaskModule):
    """Squared, absolute or Huber error of the standardised values, over all steps and variables alike.

    Values that were not observed take no part.

    Args:
        criterion: ``mse`` aims at the mean, ``mae`` at the median, ``huber`` at something between the two.
        delta: where ``huber`` turns from a square into a line, in standard deviations.
        given: see ``TaskModule``.

    Raises:
        ValueError: there is no such criterion.
    """

    answers = "series"
    metrics = {
        "train_loss": "min",
        "train_mae": "min",
        "train_mse": "min",
        "val_loss": "min",
        "val_mae": "min",
        "val_mse": "min",
    }
    """``mae`` and ``mse`` are those of the standardised values: in standard deviations, and their square."""

    def __init__(
        self,
        *,
        criterion: Literal["mse", "mae", "huber"] = "mse",
        delta: Annotated[float, Gt(0)] = 1.0,
        **given: Any,
    ) -> None:
        super().__init__(**given)
        if criterion not in CRITERIA:
            raise ValueError(f"criterion must be {', '.join(CRITERIA[:-1])} or {CRITERIA[-1]}, not {criterion!r}")
        target = self.schema.target.narrow(SeriesTarget)
        self._mean, self._std = target.mean, target.std
        self._criterion, self._delta = criterion, delta

    @override
    def prepare_targets(self, y: Tensor) -> Tensor:
        """Standardise values ``[N, horizon, V]``; those not observed stay NaN."""
        return (y - y.new_tensor(self._mean)) / y.new_tensor(self._std)

    @override
    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Mean of the criterion; ``output`` and ``y`` are ``[N, horizon, V]``."""
        return forecast_loss(output, y, self._criterion, self._delta)

    @override
    def measures(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Mean absolute and mean squared error."""
        return {name: forecast_loss(output, y, name) for name in ("mae", "mse")}
