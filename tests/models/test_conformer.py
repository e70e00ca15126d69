"""The conformer: relative positions, size, order in time, export, repeatability."""

import io
import math

import onnxruntime
import pytest
import torch
from torch.nn import functional

from stagewise.compression.quiet import quiet_export
from stagewise.models.conformer import Conformer, RelativeAttention

SHAPE = (1, 40, 50)


def small(shape=SHAPE, **arguments):
    torch.manual_seed(0)
    return Conformer(shape, 10, **{"dim": 16, "depth": 1, "heads": 2, "kernel": 5} | arguments)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14), (1, 40, 100), (1, 1, 1), (2, 5, 3)])
def test_maps_images_to_logits(shape):
    network = small(shape).eval()
    x = torch.rand(3, *shape)
    assert network(x).shape == (3, 10)
    channels_last = network.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last, network(x), rtol=1e-4, atol=1e-5)


def test_frames_and_bands_are_quartered():
    network = small((1, 40, 101)).eval()
    assert network.subsample(torch.rand(2, 1, 40, 101)).shape == (2, 16, 10, 26)
    assert network.blocks[0].attention.frames == 26


def test_attention_is_that_of_the_formula():
    torch.manual_seed(0)
    dim, heads, frames = 8, 2, 5
    attention = RelativeAttention(dim, heads, frames, 0.0).eval()
    torch.nn.init.normal_(attention.content_bias)
    torch.nn.init.normal_(attention.distance_bias)
    x = torch.randn(3, frames, dim)
    query, key, value = (part.unflatten(2, (heads, -1)) for part in attention.qkv(attention.norm(x)).chunk(3, 2))
    expected = torch.zeros(3, frames, heads, dim // heads)
    for head in range(heads):
        for i in range(frames):
            scores = []
            for j in range(frames):
                angles = [(i - j) / 10_000 ** (2 * k / dim) for k in range(dim // 2)]
                sinusoid = torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles])
                distance = attention.distance(sinusoid).view(heads, -1)[head]
                content = ((query[:, i, head] + attention.content_bias[head, 0]) * key[:, j, head]).sum(1)
                place = ((query[:, i, head] + attention.distance_bias[head, 0]) * distance).sum(1)
                scores.append((content + place) / math.sqrt(dim // heads))
            weights = torch.stack(scores, 1).softmax(1)
            expected[:, i, head] = (weights[:, :, None] * value[:, :, head]).sum(1)
    torch.testing.assert_close(attention(x), attention.out(expected.flatten(2)), rtol=1e-4, atol=1e-5)


def test_the_order_of_frames_matters():
    network = small().eval()
    x = torch.randn(2, *SHAPE)
    assert (network(x) - network(x.flip(3))).abs().max() > 1e-3


def test_starts_near_indifference_and_learns_a_batch():
    network = small((1, 16, 16), depth=2, dropout=0.0)
    x, y = torch.randn(20, 1, 16, 16), torch.arange(20) % 10
    first = functional.cross_entropy(network(x), y)
    assert abs(first.item() - math.log(10)) < 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert loss.item() < 0.5 * first.item()


def test_training_repeats_bit_for_bit():
    torch.use_deterministic_algorithms(True)
    try:
        states = []
        for _ in range(2):
            network = small()
            optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
            x = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(1))
            for _ in range(2):
                optimizer.zero_grad()
                functional.cross_entropy(network(x), torch.arange(4)).backward()
                optimizer.step()
            states.append(network.state_dict())
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    finally:
        torch.use_deterministic_algorithms(False)


def test_dropout_acts_in_training_only():
    network = small(dropout=0.5)
    x = torch.rand(4, *SHAPE)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 15, "heads": 5}, r"dim \(15\) must be even, and a multiple of heads \(5\)"),
        ({"dim": 16, "heads": 3}, "a multiple of heads"),
        ({"kernel": 4}, "kernel must be odd, so that it has a middle, not 4"),
        ({"depth": 0}, "depth must be a whole number of at least 1"),
        ({"mlp_ratio": 0.0}, "mlp_ratio"),
        ({"dropout": 1.5}, "dropout"),
    ],
    ids=["odd", "heads", "kernel", "depth", "ratio", "dropout"],
)
def test_impossible_sizes_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)


def test_export_agrees_at_any_batch_size():
    network = small().eval()
    batch = {0: torch.export.Dim("batch")}
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(
            network, (torch.rand(2, *SHAPE),), dynamo=True, dynamic_shapes=(batch,), opset_version=20, verbose=False
        )
    buffer = io.BytesIO()
    program.save(buffer)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    for size in (1, 5):
        x = torch.randn(size, *SHAPE)
        (logits,) = session.run(None, {source.name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), network(x).detach(), rtol=1e-4, atol=1e-5)
