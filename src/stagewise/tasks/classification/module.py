"""Training a classifier with Lightning."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt
from torch import Tensor
from typing_extensions import override

from stagewise.tasks.classification.loss import class_weights as weigh
from stagewise.tasks.classification.loss import classification_loss
from stagewise.tasks.means import wide
from stagewise.tasks.module import TaskModule


class ClassificationModule(TaskModule):
    """Cross-entropy and accuracy.

    Args:
        label_smoothing: share of each label that is spread over all classes.
        class_weights: see ``stagewise.tasks.classification.loss.class_weights``.
        given: see ``TaskModule``.
    """

    answers = "class"
    metrics = {"train_loss": "min", "train_accuracy": "max", "val_loss": "min", "val_accuracy": "max"}
    """``val_loss`` is plain cross-entropy."""

    def __init__(
        self,
        *,
        label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
        class_weights: Literal["balanced"] | list[Annotated[float, Gt(0)]] | None = None,
        **given: Any,
    ) -> None:
        super().__init__(**given)
        self.class_weight: Tensor | None
        counts = self.schema.splits["train"].class_counts or []
        self.register_buffer("class_weight", weigh(class_weights, counts), persistent=False)
        self._smoothing = label_smoothing

    @override
    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy with class weights and label smoothing."""
        return classification_loss(output, y, self.class_weight, self._smoothing)

    @override
    def validation_loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Plain cross-entropy."""
        return classification_loss(output, y)

    @override
    def measures(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Share of rows whose most likely class is the (most likely) label."""
        labels = y if y.ndim == 1 else y.argmax(dim=1)
        return {"accuracy": wide(output.argmax(dim=1) == labels).mean()}
