import pytest
import torch

from stagewise.models.vit import ViT


@pytest.mark.parametrize(("pool", "tokens"), [("mean", 6), ("cls", 7)])
def test_tokens_are_patches(pool, tokens):
    network = ViT((3, 8, 12), 10, patch=4, pool=pool)
    assert network.positions.shape == (1, tokens, 64)


def test_positions_matter():
    network = ViT((1, 8, 8), 10, dim=16, heads=2, depth=1).eval()
    x = torch.rand(2, 1, 8, 8)
    swapped = torch.cat([x[:, :, 4:], x[:, :, :4]], 2)
    assert (network(x) - network(swapped)).abs().max() > 1e-3
    network.positions.data.zero_()
    torch.testing.assert_close(network(x), network(swapped))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch": 3}, "8x12 image does not divide into patches of 3x3"),
        ({"patch": 8}, "8x12 image does not divide"),
        ({"dim": 30, "heads": 4}, r"dim \(30\) must be a multiple of heads \(4\)"),
        ({"patch": 0}, "patch must be a whole number"),
        ({"depth": 0}, "depth must be a whole number"),
        ({"mlp_ratio": 0.0}, "mlp_ratio"),
        ({"pool": "max"}, "pool must be mean or cls, not 'max'"),
    ],
)
def test_impossible_sizes_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        ViT((1, 8, 12), 10, **arguments)
