"""What all networks have in common: shapes, learning, reproducible initialisation."""

import pytest
import torch
from torch.nn import functional

from stagewise.models.cnn import CNN
from stagewise.models.mlp import MLP
from stagewise.models.resnet import ResNet
from stagewise.models.rnn import RNN
from stagewise.models.vit import ViT

NETWORKS = {
    "mlp": (MLP, {"hidden": [32]}),
    "mlp linear": (MLP, {"hidden": []}),
    "cnn": (CNN, {"channels": [8, 16], "hidden": 32}),
    "cnn batch norm": (CNN, {"channels": [8], "batch_norm": True, "kernel": 5, "padding": 2, "activation": "gelu"}),
    "resnet": (ResNet, {"depth": 8, "width": 8}),
    "vit": (ViT, {"dim": 32, "depth": 1}),
    "vit cls": (ViT, {"dim": 32, "depth": 1, "pool": "cls"}),
    "rnn": (RNN, {"hidden": 32}),
    "rnn gru": (RNN, {"hidden": 32, "cell": "gru", "layers": 2, "bidirectional": False}),
}


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12), (1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_images_to_logits(name, shape):
    network_class, arguments = NETWORKS[name]
    network = network_class(shape, 7, **arguments).eval()
    x = torch.rand(3, *shape)
    logits = network(x)
    assert logits.shape == (3, 7)
    assert logits.dtype == torch.float32
    channels_last = network(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_starts_near_indifference_and_learns_a_batch(name):
    network_class, arguments = NETWORKS[name]
    network = network_class((1, 8, 8), 10, **arguments)
    x, y = torch.randn(20, 1, 8, 8), torch.arange(20) % 10
    first = functional.cross_entropy(network(x), y)
    assert abs(first.item() - 2.303) < 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert loss.item() < 0.5 * first.item()


@pytest.mark.parametrize("name", NETWORKS)
def test_initialisation_is_a_function_of_the_seed(name):
    network_class, arguments = NETWORKS[name]

    def build(seed):
        torch.manual_seed(seed)
        return network_class((1, 8, 8), 10, **arguments).state_dict()

    first, again, other = build(1), build(1), build(2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("network_class", [MLP, CNN, ResNet, ViT, RNN])
def test_dropout_acts_in_training_only(network_class):
    network = network_class((1, 8, 8), 10, dropout=0.5)
    x = torch.rand(4, 1, 8, 8)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("network_class", [MLP, CNN, ResNet, ViT, RNN])
def test_dropout_must_be_a_share(network_class):
    with pytest.raises(ValueError, match="dropout"):
        network_class((1, 8, 8), 10, dropout=1.5)


@pytest.mark.parametrize("network_class", [MLP, CNN, ResNet, ViT, RNN])
def test_outputs_must_be_positive(network_class):
    with pytest.raises(ValueError, match="outputs must be a whole number of at least 1, not 0"):
        network_class((1, 8, 8), 0)
