"""What the training run needs of the Lightning module of any task."""

from abc import abstractmethod
from typing import ClassVar

import pytorch_lightning as pl
from torch import Tensor


class TaskModule(pl.LightningModule):
    """Base of the Lightning modules that ``stagewise.training`` runs; the network is at ``inference.network``."""

    metrics: ClassVar[tuple[str, ...]]
    """Names that ``trainer.monitor`` may be; those of validation begin with ``val_``, losses end with ``_loss``."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch_metrics: dict[str, float] = {}
        """Metrics and learning rate (``lr``) of the latest epoch, exact."""
        self.learning_rate = 0.0
        """That of the latest step."""

    @abstractmethod
    def loss_sum(self) -> Tensor:
        """Sum of this process's losses in this epoch; not finite from the first loss on that was not."""
