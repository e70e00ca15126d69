import pytest
import torch
from torch import nn

from stagewise.models.cnn import CNN


def test_is_the_articles_network_without_padding():
    article = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 25, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    network = CNN((1, 28, 28), 10, padding=0)
    for ours, theirs in zip(network.parameters(), article.parameters(), strict=True):
        assert ours.shape == theirs.shape
        ours.data.copy_(theirs.data)
    x = torch.randn(5, 1, 28, 28)
    assert torch.equal(network(x), article(x))


def test_padding_makes_room_for_small_images():
    assert CNN((1, 4, 4), 10, padding=1)(torch.rand(2, 1, 4, 4)).shape == (2, 10)
    with pytest.raises(ValueError, match="a 8x8 image is too small"):
        CNN((1, 8, 8), 10, padding=0)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((1, 28, 28), {"channels": [8] * 5}, "28x28 image is too small"),
        ((1, 28, 3), {}, "28x3 image is too small"),
        ((1, 28, 28), {"channels": [8, 0]}, r"channels\[1\] must be a whole number"),
        ((1, 28, 28), {"hidden": 1.5}, "hidden must be a whole number of at least 1, not 1.5"),
        ((1, 28, 28), {"kernel": 0}, "kernel must be"),
        ((1, 28, 28), {"padding": -1}, "padding must not be negative"),
        ((1, 28, 28), {"activation": "relo"}, "'relo' is unknown; it is one of relu, gelu"),
    ],
)
def test_impossible_shapes_are_told(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        CNN(shape, 10, **arguments)


def test_batch_norm_replaces_the_bias():
    names = {name for name, _ in CNN((1, 8, 8), 10, batch_norm=True).features.named_parameters()}
    assert names == {"0.weight", "1.weight", "1.bias", "4.weight", "5.weight", "5.bias"}
