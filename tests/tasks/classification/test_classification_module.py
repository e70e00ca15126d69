from typing import Any

import pytest
import torch
from torch import nn

from stagewise.config.schema.base import Target
from stagewise.data.features.entries import ImageEntry
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo
from stagewise.errors import TrainingError
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.classification.module import ClassificationModule
from stagewise.tasks.inputs.image import ImageInputs
from stagewise.tasks.means import EpochMeans


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.is_contiguous(memory_format=torch.channels_last)
        return self.head(self.norm(self.conv(x)).mean((2, 3)))


def make(augmentation: Any = None, **config: Any) -> ClassificationModule:
    feature = ImageEntry(shape=(6, 6, 3), resize="bilinear", mean=[0.0] * 3, std=[1.0] * 3)
    schema = DataSchema(
        name="x",
        features=[feature],
        target=ClassTarget(classes=["a", "b"]),
        splits={"train": SplitInfo(file="train.arrow", rows=6, sha256="0" * 64, class_counts=[3, 3])},
    )
    return ClassificationModule(
        inference=Classifier(Network(), ImageInputs(schema), schema),
        augmentation=augmentation,
        optimizer=Target.model_validate({"_target_": "torch.optim.SGD", "lr": 0.1, "weight_decay": 0.5}),
        scheduler=Target.model_validate({"_target_": "stagewise.training.schedules.cosine"}),
        seed=0,
        steps_per_epoch=3,
        max_epochs=2,
        schema=schema,
        **config,
    )


def groups(module: ClassificationModule) -> list[tuple[float, set[str]]]:
    names = {id(parameter): name for name, parameter in module.inference.network.named_parameters()}
    optimizer = module.configure_optimizers()["optimizer"]
    return [(group["weight_decay"], {names[id(p)] for p in group["params"]}) for group in optimizer.param_groups]


def test_biases_and_normalisation_do_not_decay() -> None:
    assert groups(make()) == [
        (0.5, {"conv.weight", "head.weight"}),
        (0.0, {"conv.bias", "norm.weight", "norm.bias", "head.bias"}),
    ]


def test_all_decay_on_request() -> None:
    ((decay, names),) = groups(make(decay_norm_and_bias=True))
    assert decay == 0.5
    assert len(names) == 6


def test_frozen_parameters_are_left_out() -> None:
    module = make()
    module.inference.network.get_submodule("conv").requires_grad_(False)
    assert [names for _, names in groups(module)] == [{"head.weight"}, {"norm.weight", "norm.bias", "head.bias"}]


def test_only_biases_left_to_train() -> None:
    module = make()
    for name, parameter in module.inference.network.named_parameters():
        parameter.requires_grad_(name == "head.bias")
    assert [names for _, names in groups(module)] == [{"head.bias"}]


def test_nothing_left_to_train() -> None:
    module = make()
    module.inference.network.requires_grad_(False)
    with pytest.raises(TrainingError, match=r"trainer\.freeze"):
        module.configure_optimizers()


def test_step_adds_l1_and_augments() -> None:
    seen: dict[str, Any] = {}

    def augmentation(
        x: torch.Tensor, y: torch.Tensor, index: torch.Tensor, epoch: int, classes: int, *, on_features: bool
    ) -> Any:
        if on_features:
            return x, y
        seen.update(low=float(x.min()), high=float(x.max()), index=index, epoch=epoch, classes=classes)
        return x, nn.functional.one_hot(y, classes).float()

    image = torch.randint(0, 256, (4, 6, 6, 3), dtype=torch.uint8)
    batch = {"x": image, "y": torch.tensor([0, 1, 1, 0]), "index": torch.arange(4)}
    losses = []
    for l1 in (0.0, 0.25):
        torch.manual_seed(0)
        module = make(augmentation, l1=l1)
        module.on_train_epoch_start()
        losses.append(module.training_step(batch, 0))
    network = module.inference.network
    weights = network.conv.weight.abs().sum() + network.head.weight.abs().sum()  # type: ignore[union-attr,operator]
    torch.testing.assert_close(losses[1] - losses[0], 0.25 * weights)
    assert 0 <= seen["low"] < seen["high"] <= 1
    assert (seen["epoch"], seen["classes"], seen["index"].tolist()) == (0, 2, [0, 1, 2, 3])
    torch.testing.assert_close(module.loss_sum().float(), 4 * losses[1].detach())


def test_means_weigh_rows_not_batches() -> None:
    means = EpochMeans(("loss", "accuracy"), torch.device("cpu"))
    means.update({"loss": torch.tensor(1.0), "accuracy": torch.tensor(1.0)}, 3)
    means.update({"loss": torch.tensor(5.0), "accuracy": torch.tensor(0.0)}, 1)
    assert means.compute(means.sums) == {"loss": 2.0, "accuracy": 0.75}


def test_accuracy_takes_soft_labels_by_their_largest_share() -> None:
    right, wrong = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    assert make().measures(torch.cat([right, wrong]), torch.tensor([[0.2, 0.8]] * 2))["accuracy"] == 0.5
