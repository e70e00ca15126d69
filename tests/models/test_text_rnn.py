import pytest
import torch
from torch import nn

from stagewise.models.text_rnn import TextRNN

LENGTHS = [7, 1, 4, 6]


def tokens():
    rows = torch.zeros(4, 7, dtype=torch.int64)
    for row, length in enumerate(LENGTHS):
        rows[row, :length] = torch.randint(1, 30, (length,))
    return rows


def packed(network, cell, layers, bidirectional):
    """The states by torch's own way, with the network's weights: packed sequences."""
    reference = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](8, 5, layers, batch_first=True, bidirectional=bidirectional)
    weights = {}
    for suffix, readers in (("", network.forwards), ("_reverse", network.backwards)):
        for number, reader in enumerate(readers):
            for name, value in reader.named_parameters():
                weights[name.replace("_l0", f"_l{number}{suffix}")] = value
    reference.load_state_dict(weights)
    return reference


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_is_the_network_on_packed_sequences(cell, layers, bidirectional):
    arguments = {"dim": 8, "hidden": 5, "cell": cell, "layers": layers, "bidirectional": bidirectional}
    rows = tokens()
    network = TextRNN((9, 30), 3, pool="last", **arguments).eval()
    reference = packed(network, cell, layers, bidirectional)
    vectors = network.embedding(rows)
    sequence = nn.utils.rnn.pack_padded_sequence(vectors, LENGTHS, batch_first=True, enforce_sorted=False)
    output, state = reference(sequence)
    states, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
    hidden = state[0] if cell == "lstm" else state
    final = torch.cat(list(hidden[-2:] if bidirectional else hidden[-1:]), 1)
    torch.testing.assert_close(network(rows), network.head(final), rtol=1e-5, atol=1e-6)
    for pool in ("max", "mean"):
        network.pool = pool
        parts = [states[row, :length] for row, length in enumerate(LENGTHS)]
        summaries = torch.stack([part.amax(0) if pool == "max" else part.mean(0) for part in parts])
        torch.testing.assert_close(network(rows), network.head(summaries), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
def test_recurrent_weights_start_orthogonal(cell, gates):
    network = TextRNN((9, 30), 3, cell=cell, hidden=16, layers=2)
    for reader in [*network.forwards, *network.backwards]:
        for gate in reader.weight_hh_l0.detach().view(gates, 16, 16):
            torch.testing.assert_close(gate @ gate.T, torch.eye(16), rtol=0, atol=1e-5)


def test_forget_gate_starts_open():
    assert TextRNN((9, 30), 3, hidden=4).backwards[0].bias_ih_l0.tolist() == [0] * 4 + [1] * 4 + [0] * 8


def test_words_are_read_in_order():
    network = TextRNN((9, 30), 3, dim=8, hidden=5).eval()
    rows = tokens()[:1]
    assert not torch.allclose(network(rows), network(rows.flip(1)), atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "rnn"}, "cell must be lstm or gru, not 'rnn'"),
        ({"pool": "cls"}, "pool must be max, mean or last, not 'cls'"),
        ({"layers": 0}, "layers must be a whole number"),
        ({"hidden": 0}, "hidden must be a whole number"),
    ],
)
def test_impossible_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        TextRNN((6, 20), 3, **arguments)
