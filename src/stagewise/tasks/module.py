"""What every task shares of training with Lightning: optimiser, schedule, augmentation, means over an epoch."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import numpy as np
import pytorch_lightning as pl
import torch
from annotated_types import Ge
from torch import Tensor, nn
from typing_extensions import override

from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.data.augment.pipeline import Augmentation
from stagewise.data.schema import DataSchema
from stagewise.errors import TrainingError
from stagewise.tasks.inference import Inference
from stagewise.tasks.means import EpochMeans

Batch = dict[str, Tensor]

Teacher = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Another network's say in what is minimised: called with what the network takes, its output (as ``loss`` takes it) and
the loss of these rows, it returns the loss to minimise. No module: it is neither trained nor saved."""


class TaskModule(pl.LightningModule):
    """Base of the Lightning modules; a task adds its loss and its measures.

    A batch holds "x" (raw inputs as they are stored), "y" (targets) and "index" int64 ``[B]``, the row numbers by
    which augmentation draws its random numbers.

    Args:
        inference: preprocessing and network; ``inference.network`` is what is trained.
        augmentation: the transforms of the config, or None.
        optimizer: built with ``params``.
        scheduler: built with ``optimizer``, ``total_steps`` and ``steps_per_epoch``.
        seed: dropout is a function of seed, epoch, batch and process.
        steps_per_epoch: optimiser steps.
        max_epochs: epochs that the schedule spans.
        schema: of the data.
        channels_last: memory layout of image tensors; equal results within rounding.
        l1: weight of the sum of the absolute values of the decayed parameters.
        decay_norm_and_bias: whether weight decay and L1 act on biases and normalisation layers too.
    """

    metrics: ClassVar[dict[str, str]]
    """Names that ``trainer.monitor`` may be, and whether "min" or "max" is better; ``train_loss`` is what is
    minimised, names of validation begin with ``val_``."""

    def __init__(
        self,
        inference: Inference,
        augmentation: Augmentation | None,
        optimizer: Target,
        scheduler: Target,
        *,
        seed: int,
        steps_per_epoch: int,
        max_epochs: int,
        schema: DataSchema,
        channels_last: bool = True,
        l1: Annotated[float, Ge(0)] = 0.0,
        decay_norm_and_bias: bool = False,
    ) -> None:
        super().__init__()
        self.inference = inference
        self.schema = schema
        self.epoch_metrics: dict[str, float] = {}
        """Metrics and learning rate (``lr``) of the latest epoch, exact."""
        self.learning_rate = 0.0
        """That of the latest step."""
        self.teacher: Teacher | None = None
        self._resumed_sums: Tensor | None = None
        self._augmentation = augmentation
        self._optimizer, self._scheduler = optimizer, scheduler
        self._seed, self._steps_per_epoch, self._max_epochs = seed, steps_per_epoch, max_epochs
        self._l1, self._decay_all = l1, decay_norm_and_bias
        self._classes = len(schema.splits["train"].class_counts or ())
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        inference.network.to(memory_format=self._layout)  # type: ignore[call-overload]

    def prepare_targets(self, y: Tensor) -> Tensor:
        """Targets as the loss takes them, from targets as they are stored."""
        return y

    @abstractmethod
    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Mean loss over the rows, which training minimises."""

    def validation_loss(self, output: Tensor, y: Tensor) -> Tensor:
        """Mean loss over validation rows: that of training unless it is weighted or smoothed."""
        return self.loss(output, y)

    def measures(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        """Further means over the rows, by name."""
        return {}

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the epoch has come to so far, of all processes."""
        own = self._train_means.sums
        # A row per process: each adds its own to zeros.
        sums = own.new_zeros(self.trainer.world_size, len(own))
        sums[self.global_rank] = own
        sums = self.trainer.strategy.reduce(sums, reduce_op="sum")
        checkpoint["epoch_so_far"] = {
            "metrics": dict(self.epoch_metrics),
            "learning_rate": self.learning_rate,
            "sums": sums.cpu(),
        }

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take that up again."""
        state = checkpoint["epoch_so_far"]
        self.epoch_metrics, self.learning_rate = dict(state["metrics"]), state["learning_rate"]
        self._resumed_sums = state["sums"]

    @override
    def on_train_start(self) -> None:
        """Go on with this process's sums where an epoch goes on."""
        if self._resumed_sums is not None:
            self._train_means = self._means("train")
            self._train_means.sums += self._resumed_sums[self.global_rank].to(self.device)
            self._resumed_sums = None

    @override
    def on_train_epoch_start(self) -> None:
        """Start new sums."""
        self._train_means = self._means("train")

    @override
    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout, so that it depends on nothing that ran before; note the learning rate."""
        key = [self._seed, self.current_epoch, batch_idx, self.global_rank]
        seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
        # On a CPU torch.manual_seed would spend a millisecond on queueing seeds for absent devices.
        (torch.default_generator.manual_seed if self.device.type == "cpu" else torch.manual_seed)(seed)
        self.learning_rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss that is minimised."""
        x, y = self.inference.decode(batch["x"]), self.prepare_targets(batch["y"])
        x, y = self._augment(x, y, batch["index"], on_features=False)
        x, y = self._augment(self.inference.features(x), y, batch["index"], on_features=True)
        output = self._output(x)
        loss = self.loss(output, y)
        if self.teacher is not None:
            loss = self.teacher(x, output, loss)
        if self._l1:
            loss = loss + self._l1 * torch.stack([p.abs().sum() for p in self._trained()[0]]).sum()
        self._train_means.update({"loss": loss, **self.measures(output.detach(), y)}, len(y))
        return loss

    @override
    def on_train_epoch_end(self) -> None:
        """Log the means over the training rows."""
        self._record("train", self._train_means)
        self.epoch_metrics["lr"] = self.learning_rate
        self.log("lr", self.learning_rate, sync_dist=True)

    @override
    def on_validation_epoch_start(self) -> None:
        """Start new sums."""
        self._validation_means = self._means("val")

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the sums."""
        y = self.prepare_targets(batch["y"])
        output = self._output(self.inference.features(self.inference.decode(batch["x"])))
        self._validation_means.update({"loss": self.validation_loss(output, y), **self.measures(output, y)}, len(y))

    @override
    def on_validation_epoch_end(self) -> None:
        """Log the means over the validation rows."""
        self._record("val", self._validation_means)

    def loss_sum(self) -> Tensor:
        """Sum of this process's losses in this epoch; not finite from the first loss on that was not."""
        return self._train_means.sums[0]

    @override
    def configure_optimizers(self) -> Any:
        """Optimiser and schedule as Lightning takes them; frozen parameters stay out."""
        decayed, rest = self._trained()
        groups: list[dict[str, Any]] = [{"params": decayed}]
        if rest:
            groups.append({"params": rest, "weight_decay": 0.0})
        optimizer = build(self._optimizer, params=groups)
        total_steps = self._steps_per_epoch * self._max_epochs
        schedule = build(
            self._scheduler, optimizer=optimizer, total_steps=total_steps, steps_per_epoch=self._steps_per_epoch
        )
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def _augment(self, x: Tensor, y: Tensor, index: Tensor, on_features: bool) -> tuple[Tensor, Tensor]:
        if self._augmentation is None:
            return x, y
        with torch.autocast(self.device.type, enabled=False):
            return self._augmentation(x, y, index, self.current_epoch, self._classes, on_features=on_features)

    def _output(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=self._layout) if x.ndim == 4 else x
        output: Tensor = self.inference.network(x)
        return output.float()

    def _trained(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Trained parameters with and without decay; biases and those of normalisation layers have one axis."""
        trained = [p for p in self.inference.network.parameters() if p.requires_grad]
        if not trained:
            raise TrainingError(
                "there is nothing to train", where="trainer.freeze", why="every parameter is frozen", fix="freeze fewer"
            )
        decayed = [p for p in trained if self._decay_all or p.ndim > 1]
        if not decayed:
            return trained, []
        return decayed, [p for p in trained if not (self._decay_all or p.ndim > 1)]

    def _means(self, split: str) -> EpochMeans:
        names = [name.removeprefix(f"{split}_") for name in self.metrics if name.startswith(f"{split}_")]
        return EpochMeans(("loss", *(name for name in names if name != "loss")), self.device)

    def _record(self, split: str, means: EpochMeans) -> None:
        sums = self.trainer.strategy.reduce(means.sums, reduce_op="sum")
        values = {f"{split}_{name}": value for name, value in means.compute(sums).items()}
        self.epoch_metrics.update(values)
        # Equal in all processes by now; Lightning warns where it is not told to synchronise.
        self.log_dict(values, prog_bar=split == "val", sync_dist=True)
