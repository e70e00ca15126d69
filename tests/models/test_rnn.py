import pytest
import torch

from stagewise.models.rnn import RNN


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
def test_recurrent_weights_start_orthogonal(cell, gates):
    network = RNN((1, 8, 8), 10, cell=cell, hidden=16)
    for gate in network.recurrent.weight_hh_l0.detach().view(gates, 16, 16):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), rtol=0, atol=1e-5)


def test_forget_gate_starts_open():
    bias = RNN((1, 8, 8), 10, hidden=4).recurrent.bias_ih_l0.tolist()
    assert bias == [0] * 4 + [1] * 4 + [0] * 8


def test_reads_rows_in_order_from_both_ends():
    x = torch.rand(1, 1, 8, 8)
    one_way = RNN((1, 8, 8), 10, hidden=16, bidirectional=False)
    assert one_way.head[1].in_features == 16
    # The last row reaches the answer of the backward reader only as its first step, but it does reach it.
    both = RNN((1, 8, 8), 10, hidden=16)
    for network in (one_way, both):
        moved = x.clone()
        moved[:, :, -1] += 1
        assert not torch.allclose(network(x), network(moved), atol=1e-3)
        assert not torch.allclose(network(x), network(x.flip(2)), atol=1e-3)


def test_unknown_cell_is_told():
    with pytest.raises(ValueError, match="cell must be lstm or gru, not 'rnn'"):
        RNN((1, 8, 8), 10, cell="rnn")


def test_one_layer_with_dropout_raises_no_warning():
    assert RNN((1, 8, 8), 10, layers=1, dropout=0.3).recurrent.dropout == 0.0
