"""Training an image classifier with Lightning."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn
from typing_extensions import override

from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.errors import TrainingError
from stagewise.tasks.inference import ImageClassifier
from stagewise.tasks.loss import class_weights as weigh
from stagewise.tasks.loss import classification_loss
from stagewise.tasks.metrics import EpochMeans
from stagewise.tasks.task import TaskModule

Batch = dict[str, Tensor]
Augment = Callable[[Tensor, Tensor, Tensor, int, int], tuple[Tensor, Tensor]]


class ClassificationModule(TaskModule):
    """Loss, metrics and optimiser of an image classifier.

    A batch holds "x" uint8 ``[B, H, W, C]``, "y" int64 ``[B]`` and "index" int64 ``[B]``, the row numbers by
    which augmentation draws its random numbers.

    Args:
        inference: preprocessing and network; ``inference.network`` is what is trained.
        augmentation: from (x, y, index, epoch, classes) to (x, y), or None.
        optimizer: built with ``params``.
        scheduler: built with ``optimizer``, ``total_steps`` and ``steps_per_epoch``.
        seed: dropout is a function of seed, epoch, batch and process.
        steps_per_epoch: optimiser steps.
        max_epochs: epochs that the schedule spans.
        class_counts: training rows of each class.
        channels_last: memory layout of image tensors; equal results within rounding.
        label_smoothing: share of each label that is spread over all classes.
        class_weights: see ``stagewise.tasks.loss.class_weights``.
        l1: weight of the sum of the absolute values of the decayed parameters.
        decay_norm_and_bias: whether weight decay and L1 act on biases and normalisation layers too.
    """

    metrics = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    """``train_loss`` is what is minimised, ``val_loss`` plain cross-entropy."""

    def __init__(
        self,
        inference: ImageClassifier,
        augmentation: Augment | None,
        optimizer: Target,
        scheduler: Target,
        *,
        seed: int,
        steps_per_epoch: int,
        max_epochs: int,
        class_counts: list[int],
        channels_last: bool = True,
        label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
        class_weights: Literal["balanced"] | list[Annotated[float, Gt(0)]] | None = None,
        l1: Annotated[float, Ge(0)] = 0.0,
        decay_norm_and_bias: bool = False,
    ) -> None:
        super().__init__()
        self.inference = inference
        self.class_weight: Tensor | None
        self.register_buffer("class_weight", weigh(class_weights, class_counts), persistent=False)
        self._augmentation = augmentation
        self._optimizer, self._scheduler = optimizer, scheduler
        self._seed, self._steps_per_epoch, self._max_epochs = seed, steps_per_epoch, max_epochs
        self._classes = len(class_counts)
        self._smoothing, self._l1, self._decay_all = label_smoothing, l1, decay_norm_and_bias
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        inference.network.to(memory_format=self._layout)  # type: ignore[call-overload]

    @override
    def on_train_epoch_start(self) -> None:
        """Start new sums."""
        self._train_means = EpochMeans(self.device)

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
        x, y = self.inference.to_unit(batch["x"]), batch["y"]
        if self._augmentation is not None:
            with torch.autocast(self.device.type, enabled=False):
                x, y = self._augmentation(x, y, batch["index"], self.current_epoch, self._classes)
        logits = self._logits(x)
        loss = classification_loss(logits, y, self.class_weight, self._smoothing)
        if self._l1:
            loss = loss + self._l1 * torch.stack([p.abs().sum() for p in self._trained()[0]]).sum()
        self._train_means.update(loss, logits, y)
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
        self._validation_means = EpochMeans(self.device)

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the sums."""
        logits = self._logits(self.inference.to_unit(batch["x"]))
        self._validation_means.update(classification_loss(logits, batch["y"]), logits, batch["y"])

    @override
    def on_validation_epoch_end(self) -> None:
        """Log the means over the validation rows."""
        self._record("val", self._validation_means)

    @override
    def loss_sum(self) -> Tensor:
        """Sum of the losses so far."""
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

    def _logits(self, x: Tensor) -> Tensor:
        x = self.inference.normalize(x).contiguous(memory_format=self._layout)
        logits: Tensor = self.inference.network(x)
        return logits.float()

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

    def _record(self, split: str, means: EpochMeans) -> None:
        sums = self.trainer.strategy.reduce(means.sums, reduce_op="sum")
        values = {f"{split}_{name}": value for name, value in means.compute(sums).items()}
        self.epoch_metrics.update(values)
        # Equal in all processes by now; Lightning warns where it is not told to synchronise.
        self.log_dict(values, prog_bar=split == "val", sync_dist=True)
