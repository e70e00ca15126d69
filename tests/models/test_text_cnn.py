import pytest
import torch
from torch import nn

from stagewise.models.text_cnn import TextCNN


def test_is_the_maximum_over_all_windows_of_each_row():
    network = TextCNN((9, 30), 4, dim=6, widths=[2, 3, 5], filters=7).eval()
    rows = [[5, 6, 7, 8, 9, 4, 11], [12], [4, 4]]
    found = []
    for row in rows:
        vectors = network.embedding.table(torch.tensor(row))
        strongest = []
        for convolution in network.convolutions:
            width = convolution.kernel_size[0]
            zeros = torch.zeros(width - 1, 6)
            windows = torch.cat([zeros, vectors, zeros]).unfold(0, width, 1)
            answers = torch.einsum("tdw,fdw->tf", windows, convolution.weight) + convolution.bias
            strongest.append(answers.clamp(min=0).amax(0))
        found.append(network.head(torch.cat(strongest)))
    tokens = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    torch.testing.assert_close(network(tokens), torch.stack(found), rtol=1e-5, atol=1e-6)


def test_default_is_kims_network():
    network = TextCNN((50, 100), 2)
    assert [(layer.kernel_size, layer.out_channels) for layer in network.convolutions] == [
        ((3,), 100), ((4,), 100), ((5,), 100),
    ]  # fmt: skip
    assert (network.head[0].p, network.head[1].in_features) == (0.5, 300)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": []}, "widths is empty"),
        ({"widths": [3, 0]}, r"widths\[1\] must be a whole number of at least 1, not 0"),
        ({"filters": 0}, "filters must be a whole number"),
    ],
)
def test_impossible_sizes_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        TextCNN((6, 20), 3, **arguments)
