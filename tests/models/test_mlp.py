import pytest
from torch import nn

from stagewise.models.mlp import MLP


def test_default_is_the_articles_network():
    layers = [layer for layer in MLP((1, 28, 28), 10).modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(784, 256), (256, 128), (128, 10)]


def test_hidden_sizes_are_checked():
    with pytest.raises(ValueError, match=r"hidden\[1\] must be a whole number of at least 1, not -3"):
        MLP((1, 8, 8), 10, hidden=[8, -3])
