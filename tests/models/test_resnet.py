import pytest
import torch
from torch import nn

from stagewise.models.resnet import Block, ResNet


@pytest.mark.parametrize("depth", [8, 14, 20])
def test_depth_counts_the_layers_with_weights(depth):
    network = ResNet((3, 32, 32), 10, depth=depth, width=4)
    shortcuts = sum(isinstance(block.shortcut, nn.Sequential) for block in network.blocks)
    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert len(layers) - shortcuts == depth


def test_groups_halve_the_image_and_double_the_maps():
    network = ResNet((3, 32, 20), 10, depth=8, width=6)
    assert network.blocks(network.stem(torch.rand(2, 3, 32, 20))).shape == (2, 24, 8, 5)


def test_a_block_starts_as_its_shortcut():
    network = ResNet((1, 8, 8), 10, depth=8, width=4)
    block = network.blocks[0]
    assert isinstance(block, Block)
    x = torch.rand(2, 4, 8, 8)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("depth", [2, 18, 21, 0, -4])
def test_depth_must_be_6n_plus_2(depth):
    with pytest.raises(ValueError, match="6n \\+ 2"):
        ResNet((1, 8, 8), 10, depth=depth)


def test_too_small_an_image_is_told():
    with pytest.raises(ValueError, match="3x8 image is too small"):
        ResNet((1, 3, 8), 10)
