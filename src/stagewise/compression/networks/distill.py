"""A smaller network that learns from the trained one."""

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Gt, Le

from stagewise.compression.networks.distillation import ALPHA, TEMPERATURE, Distillation, check_distillation
from stagewise.compression.networks.tuned import TunedStep, has_classes, wrong
from stagewise.compression.steps import Workshop
from stagewise.config.schema.base import Target
from stagewise.errors import ConfigError
from stagewise.tasks.build import build_inference
from stagewise.tasks.inference import Inference


class Distill(TunedStep):
    """Knowledge distillation: a new network, trained by the labels and by the answers of the trained one.

    The teacher sees the same augmented rows. For classifiers the loss is ``alpha * T^2 * KL(teacher || student)`` plus
    ``1 - alpha`` times that of the labels; else the mean squared difference of the outputs takes the place of the
    first. The network that the step before gave is replaced, whatever it was.

    Args:
        model: the smaller network, as the section ``model`` names one.
        temperature: above 1, the teacher's less likely classes weigh more.
        alpha: share of the teacher in the loss.
        epochs: as many as training had when None; a network that begins anew needs them.
        lr: that of training when None.
        batch_size: that of training when None.

    Raises:
        ConfigError: a value is out of range, or ``model`` names nothing.
    """

    later = ("model",)
    """Built when the shapes of inputs and outputs are known."""
    epoch_share, lr_share = 1.0, 1.0

    def __init__(
        self,
        *,
        model: Mapping[str, Any],
        temperature: Annotated[float, Gt(0)] = TEMPERATURE,
        alpha: Annotated[float, Gt(0), Le(1)] = ALPHA,
        epochs: Annotated[int, Gt(0)] | None = None,
        lr: Annotated[float, Gt(0)] | None = None,
        batch_size: Annotated[int, Gt(0)] | None = None,
    ) -> None:
        super().__init__(epochs=epochs, lr=lr, batch_size=batch_size)
        if not isinstance(model, Mapping) or not isinstance(model.get("_target_"), str):
            raise wrong(self, "model names no network", "write model: {_target_: stagewise.models.cnn.CNN, ...}")
        check_distillation(temperature, alpha, "Distill")
        self._model = Target.model_validate(dict(model))
        self._temperature, self._alpha = temperature, alpha

    def change(self, inference: Inference, workshop: Workshop) -> Inference:  # noqa: ARG002
        """The new network, freshly initialised: a function of the project's seed.

        Raises:
            ConfigError: it cannot take these inputs, or does not know an argument.
        """
        settings = workshop.settings.model_copy(update={"model": self._model})
        try:
            return build_inference(settings, workshop.schema)
        except ConfigError as error:
            where = "model of Distill in compress.candidates"
            raise ConfigError(error.what, where=where, why=error.why, fix=error.fix, details=error.details) from error

    def _teacher(self, workshop: Workshop) -> Distillation:
        return Distillation(
            workshop.teacher, classes=has_classes(workshop), temperature=self._temperature, alpha=self._alpha
        )
