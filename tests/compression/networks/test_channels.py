"""Structured pruning: which channels go, and what cannot be pruned."""

from typing import Any

import pytest
import torch
from steps_lab import Single, make_step
from torch import nn

from stagewise.compression.steps import Workshop
from stagewise.errors import CompressionError
from stagewise.models.text_transformer import TextTransformer
from stagewise.models.vit import ViT
from stagewise.tasks.classification.inference import Classifier
from stagewise.tasks.inference import Inference


class Tokens(nn.Module):
    """Stands for rows of text."""

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        return raw

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def example(self) -> tuple[torch.Tensor, dict[int, str]]:
        return torch.randint(4, 50, (2, 12), generator=torch.Generator().manual_seed(0)), {}


class Fixed(nn.Module):
    """Counts on the width of its first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x.flatten(1))).reshape(-1, 4, 8).flatten(1))


def shapes(inference: Inference) -> dict[str, list[int]]:
    found = inference.network.named_parameters()
    return {name: list(value.shape) for name, value in found if name.endswith("weight")}


@pytest.fixture
def change(cnn: Any, workshop: Any) -> Any:
    """Prune without training."""

    def run(trained: Any = cnn, network: nn.Module | None = None, **arguments: Any) -> Inference:
        room: Workshop = workshop(trained)
        given = room.teacher
        if network is not None:
            given = Classifier(network, given.inputs, given.schema)
        return make_step("prune.Prune", **arguments).change(given, room)

    return run


def test_channels_and_all_that_depends_on_them_are_gone(change: Any) -> None:
    assert shapes(change(ratio=0.5)) == {
        "features.0.weight": [16, 1, 3, 3],
        "features.3.weight": [32, 16, 3, 3],
        "head.2.weight": [64, 32 * 4],
        "head.5.weight": [10, 64],
    }


def test_channels_are_kept_in_multiples(change: Any) -> None:
    assert [shape[0] for shape in shapes(change(ratio=0.3, round_to=16)).values()] == [16, 32, 80, 10]


def test_the_smallest_channels_go(change: Any, cnn: Any, workshop: Any) -> None:
    kept = change(ratio=0.5, round_to=1).network.get_parameter("features.0.weight")
    before = workshop(cnn).teacher.network.get_parameter("features.0.weight")
    places = [next(i for i, whole in enumerate(before) if torch.equal(whole, part)) for part in kept]
    assert places == sorted(set(places)) and len(places) == 16


def test_blocks_that_are_added_keep_equal_widths(change: Any, resnet: Any) -> None:
    found = shapes(change(resnet, ratio=0.5))
    assert found["stem.0.weight"] == [8, 1, 3, 3]
    assert found["head.1.weight"] == [10, 32]


def test_a_vision_transformer_keeps_its_attention(change: Any) -> None:
    torch.manual_seed(0)
    found = shapes(change(network=ViT((1, 8, 8), 10, dim=32, depth=1), ratio=0.5))
    assert found["layers.0.attention.qkv.weight"] == [96, 32]
    assert found["layers.0.mlp.1.weight"] == [32, 32], "half of 64"


def test_a_text_transformer_too(cnn: Any, workshop: Any) -> None:
    torch.manual_seed(0)
    room: Workshop = workshop(cnn)
    given = Classifier(TextTransformer((12, 50), 2, dim=32, depth=1), Tokens(), room.schema)
    found = shapes(make_step("prune.Prune", ratio=0.5).change(given, room))
    assert found["layers.0.attention.qkv.weight"] == [96, 32]
    assert found["layers.0.mlp.1.weight"] == [32, 32]


def test_networks_that_cannot_be_pruned_are_named(change: Any) -> None:
    torch.manual_seed(0)
    with pytest.raises(CompressionError, match="Fixed cannot be pruned") as caught:
        change(network=Fixed(), ratio=0.5)
    assert "compress.candidates" in str(caught.value) and "LowRank" in str(caught.value)
    with pytest.raises(CompressionError, match="Single cannot be pruned") as caught:
        change(network=Single(), ratio=0.5)
    assert "no layer has channels that could go" in str(caught.value)


def test_two_pruners_of_a_process_share_nothing(change: Any) -> None:
    first = shapes(change(ratio=0.5))
    change(ratio=0.7)
    assert shapes(change(ratio=0.5)) == first
