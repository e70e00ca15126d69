"""Every network for tokens becomes an ONNX graph of free batch size and length that gives the same logits."""

import io

import onnxruntime
import pytest
import torch

from stagewise.compression.quiet import quiet_export
from stagewise.models.text_bag import TextBag
from stagewise.models.text_cnn import TextCNN
from stagewise.models.text_rnn import TextRNN
from stagewise.models.text_transformer import TextTransformer

SHAPE = (11, 30)
NETWORKS = {
    "bag": lambda: TextBag(SHAPE, 3, dim=8, bigrams=20, hidden=[6]),
    "cnn": lambda: TextCNN(SHAPE, 3, dim=8, filters=6),
    "lstm": lambda: TextRNN(SHAPE, 3, dim=8, hidden=6),
    "gru last": lambda: TextRNN(SHAPE, 3, dim=8, hidden=6, cell="gru", pool="last"),
    # A second LSTM in the same process: torch then takes another way, which would fix the length.
    "lstm one way": lambda: TextRNN(SHAPE, 3, dim=8, hidden=6, bidirectional=False, pool="mean"),
    "transformer": lambda: TextTransformer(SHAPE, 3, dim=8, heads=2, depth=1),
    "transformer cls": lambda: TextTransformer(SHAPE, 3, dim=8, depth=1, pool="cls", positions="sinusoidal"),
}


def rows(count, length):
    """Random tokens; the first row fills the length, each further one is a little shorter."""
    tokens = torch.randint(1, SHAPE[1], (count, length))
    for row in range(count):
        tokens[row, max(length - 3 * row, 1) :] = 0
    return tokens


@torch.no_grad()
def export(network):
    """Return a session of the exported network, and the names of its input's axes."""
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    with quiet_export():
        program = torch.onnx.export(network, (rows(2, 7),), dynamo=True, dynamic_shapes=(axes,), verbose=False)
    buffer = io.BytesIO()
    program.save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    return session, session.get_inputs()[0]


@pytest.fixture(scope="module", params=list(NETWORKS))
def exported(request):
    torch.manual_seed(0)
    network = NETWORKS[request.param]().eval()
    return network, *export(network)


def test_both_axes_stay_free(exported):
    _, _, source = exported
    assert source.shape == ["batch", "length"]


@pytest.mark.parametrize("length", [1, 5, 11, 26])
@pytest.mark.parametrize("count", [1, 3])
def test_export_agrees(exported, count, length):
    network, session, source = exported
    tokens = rows(count, length)
    (logits,) = session.run(None, {source.name: tokens.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), network(tokens).detach(), rtol=1e-4, atol=1e-5)


def test_export_agrees_on_padding(exported):
    network, session, source = exported
    tokens = torch.zeros(2, 4, dtype=torch.int64)
    tokens[1, 2] = 5
    (logits,) = session.run(None, {source.name: tokens.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), network(tokens).detach(), rtol=1e-4, atol=1e-5)
