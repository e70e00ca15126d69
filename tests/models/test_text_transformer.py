import math

import pytest
import torch
from torch import nn

from stagewise.models.text_transformer import Layer, Positions, TextTransformer


def test_a_layer_is_torchs_own():
    ours = Layer(12, 3, 2.5, 0.0)
    theirs = nn.TransformerEncoderLayer(12, 3, 30, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs.load_state_dict({
        "self_attn.in_proj_weight": ours.attention.qkv.weight, "self_attn.in_proj_bias": ours.attention.qkv.bias,
        "self_attn.out_proj.weight": ours.attention.out.weight, "self_attn.out_proj.bias": ours.attention.out.bias,
        "norm1.weight": ours.norm.weight, "norm1.bias": ours.norm.bias,
        "norm2.weight": ours.mlp[0].weight, "norm2.bias": ours.mlp[0].bias,
        "linear1.weight": ours.mlp[1].weight, "linear1.bias": ours.mlp[1].bias,
        "linear2.weight": ours.mlp[4].weight, "linear2.bias": ours.mlp[4].bias,
    })  # fmt: skip
    x = torch.randn(2, 6, 12)
    padding = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    expected = theirs(x, src_key_padding_mask=padding)
    found = ours(x, padding.float()[:, None, None, :] * -1e4)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_positions_matter(positions):
    network = TextTransformer((9, 30), 3, dim=16, depth=1, positions=positions).eval()
    if network.positions.table is not None:
        nn.init.normal_(network.positions.table)
    row = torch.tensor([[4, 5, 6, 7, 8]])
    assert (network(row) - network(row.flip(1))).abs().max() > 1e-3


def test_sinusoidal_positions_are_those_of_the_paper():
    found = Positions("sinusoidal", 1, 6)(torch.zeros(1, 20, dtype=torch.int64))
    assert found.shape == (1, 20, 6)
    for place in (0, 3, 19):
        angles = [place / 10_000 ** (2 * octave / 6) for octave in range(3)]
        expected = [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
        assert found[0, place].tolist() == pytest.approx(expected, abs=1e-5)


def test_an_odd_width_has_positions():
    assert Positions("sinusoidal", 1, 5)(torch.zeros(1, 4, dtype=torch.int64)).shape == (1, 4, 5)


def test_each_word_sees_all_others_and_itself_from_afar():
    network = TextTransformer((9, 30), 3, dim=16, depth=1, pool="cls", embedding_dropout=0.0, dropout=0.0)
    vectors = network.embedding.table.weight
    network(torch.tensor([[4, 5, 6, 7, 8]])).sum().backward()
    assert all(vectors.grad[token].abs().sum() > 0 for token in (3, 4, 5, 6, 7, 8))
    assert not vectors.grad[[0, 1, 2, 9]].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 30, "heads": 4}, r"dim \(30\) must be a multiple of heads \(4\)"),
        ({"mlp_ratio": 0.0}, "mlp_ratio"),
        ({"positions": "rotary"}, "positions must be learned or sinusoidal, not 'rotary'"),
        ({"pool": "max"}, "pool must be mean or cls, not 'max'"),
        ({"depth": 0}, "depth must be a whole number"),
    ],
)
def test_impossible_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        TextTransformer((6, 20), 3, **arguments)
