"""What all networks for tokens have in common: shapes, padding, learning, reproducible initialisation."""

import pytest
import torch
from torch.nn import functional

from stagewise.models.text_bag import TextBag
from stagewise.models.text_cnn import TextCNN
from stagewise.models.text_rnn import TextRNN
from stagewise.models.text_transformer import TextTransformer

NETWORKS = {
    "bag": (TextBag, {"dim": 16}),
    "bag pairs": (TextBag, {"dim": 16, "bigrams": 50, "hidden": [24]}),
    "cnn": (TextCNN, {"dim": 16, "filters": 12}),
    "cnn wide": (TextCNN, {"dim": 16, "filters": 12, "widths": [1, 9]}),
    "lstm max": (TextRNN, {"dim": 16, "hidden": 12}),
    "lstm last": (TextRNN, {"dim": 16, "hidden": 12, "pool": "last"}),
    "gru mean": (TextRNN, {"dim": 16, "hidden": 12, "cell": "gru", "layers": 2, "pool": "mean"}),
    "gru one way": (TextRNN, {"dim": 16, "hidden": 12, "cell": "gru", "bidirectional": False, "pool": "last"}),
    "transformer": (TextTransformer, {"dim": 16, "depth": 1}),
    "transformer cls": (TextTransformer, {"dim": 16, "pool": "cls"}),
    "transformer sines": (TextTransformer, {"dim": 16, "depth": 1, "positions": "sinusoidal"}),
}
CLASSES = [TextBag, TextCNN, TextRNN, TextTransformer]
LONGEST, VOCABULARY = 14, 40


def build(name, outputs=5, shape=(LONGEST, VOCABULARY)):
    network_class, arguments = NETWORKS[name]
    return network_class(shape, outputs, **arguments)


def rows(lengths, longest=None):
    """Random tokens with these lengths, padded to the longest."""
    tokens = torch.zeros(len(lengths), longest or max(lengths), dtype=torch.int64)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.randint(1, VOCABULARY, (length,))
    return tokens


@pytest.mark.parametrize("lengths", [[1], [2, 1], [14, 3, 1, 7], [1, 1]], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_maps_tokens_to_logits(name, lengths):
    logits = build(name).eval()(rows(lengths))
    assert logits.shape == (len(lengths), 5)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_changes_no_answer(name):
    network = build(name).eval()
    tokens = rows([14, 1, 2, 9, 5])
    together = network(tokens)
    far = network(functional.pad(tokens, (0, 14)))
    torch.testing.assert_close(far, together, rtol=0, atol=1e-5)
    for row, length in enumerate([14, 1, 2, 9, 5]):
        alone = network(tokens[row : row + 1, :length])
        torch.testing.assert_close(alone[0], together[row], rtol=0, atol=1e-5)
    # It is the rows that make the answers, not the network's constants.
    assert (together[0] - together[1]).abs().max() > 1e-2


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_changes_no_gradient(name):
    network = build(name).eval()
    tokens, gradients = rows([6, 2]), []
    for padding in (0, 8):
        network.zero_grad()
        network(functional.pad(tokens, (0, padding))).square().sum().backward()
        gradients.append({key: value.grad.clone() for key, value in network.named_parameters()})
    for key, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], gradient, rtol=1e-4, atol=1e-5, msg=key)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_of_padding_is_answered(name):
    network = build(name).eval()
    answers = [network(torch.zeros(1, size, dtype=torch.int64)) for size in (1, 5)]
    assert answers[0].isfinite().all()
    torch.testing.assert_close(answers[0], answers[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_starts_near_indifference_and_learns_a_batch(name):
    network = build(name)
    tokens, y = rows([8, 3, 5, 14, 1] * 4), torch.arange(20) % 5
    first = functional.cross_entropy(network(tokens), y)
    assert abs(first.item() - 1.609) < 0.5
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    for _ in range(50):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(tokens), y)
        loss.backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert loss.item() < 0.5 * first.item()


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_learns_nothing(name):
    network = build(name)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        network(rows([5, 2, 1])).square().sum().backward()
        optimizer.step()
    assert not network.embedding.table.weight[0].any()


@pytest.mark.parametrize("name", NETWORKS)
def test_initialisation_is_a_function_of_the_seed(name):
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build(name).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_trains_by_deterministic_operations(name):
    network = build(name)
    torch.use_deterministic_algorithms(True)
    try:
        network(rows([9, 4])).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("argument", ["dropout", "embedding_dropout"])
@pytest.mark.parametrize("network_class", CLASSES)
def test_dropout_acts_in_training_only(network_class, argument):
    network = network_class((LONGEST, VOCABULARY), 5, **{"dropout": 0.0, "embedding_dropout": 0.0, argument: 0.5})
    tokens = rows([9, 4])
    assert not torch.equal(network(tokens), network(tokens))
    network.eval()
    assert torch.equal(network(tokens), network(tokens))


@pytest.mark.parametrize("argument", ["dropout", "embedding_dropout"])
@pytest.mark.parametrize("network_class", CLASSES)
def test_dropout_must_be_a_share(network_class, argument):
    with pytest.raises(ValueError, match="dropout"):
        network_class((LONGEST, VOCABULARY), 5, **{argument: 1.5})


@pytest.mark.parametrize("network_class", CLASSES)
def test_impossible_shapes_are_told(network_class):
    with pytest.raises(ValueError, match="outputs must be a whole number of at least 1, not 0"):
        network_class((LONGEST, VOCABULARY), 0)
    with pytest.raises(ValueError, match=r"dim must be a whole number of at least 1, not -2"):
        network_class((LONGEST, VOCABULARY), 2, dim=-2)
    with pytest.raises(ValueError, match=r"takes \(longest row, vocabulary\), not inputs of \(3, 8, 8\)"):
        network_class((3, 8, 8), 2)
    with pytest.raises(ValueError, match=r"rows of 9 tokens out of 3 hold nothing"):
        network_class((9, 3), 2)


def test_every_network_takes_tokens():
    assert {network_class.takes for network_class in CLASSES} == {"tokens"}
