"""Our MLP against one whose gradients are written by hand, against autograd, and against differences of its loss."""

import numpy as np
import pytest
import torch
from numpy_network import ACTIVATIONS, NumpyNetwork, soft_labels
from torch import nn

from stagewise.models.mlp import MLP
from stagewise.tasks.classification.loss import class_weights, classification_loss

SHAPE = (2, 3, 2)
CLASSES = 4
DEPTHS = {"linear": [], "one hidden": [5], "two hidden": [7, 5], "four hidden": [4, 6, 3, 5]}
COUNTS = [10, 40, 25, 5]


def make(activation, hidden, seed=0):
    """The network in float64, and the same by hand."""
    torch.manual_seed(seed)
    network = MLP(SHAPE, CLASSES, hidden=hidden, activation=activation).double()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    # The usual start is small enough for every activation to look like a line.
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(2)
            layer.bias.uniform_(-1, 1)
    weights, biases = ([value.detach().numpy() for value in values] for values in parameters(network))
    return network, NumpyNetwork(weights, biases, activation)


def parameters(network):
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [layer.weight for layer in layers], [layer.bias for layer in layers]


def batch(rows, seed=1, scale=1.0):
    draw = np.random.default_rng(seed)
    return scale * draw.normal(size=(rows, *SHAPE)), draw.integers(0, CLASSES, rows)


def flat(x):
    return x.reshape(len(x), -1)


def by_autograd(network, x, y, weights=None, smoothing=0.0):
    """The loss of the classification task, and its gradients: weights, biases, input."""
    x = torch.from_numpy(x).requires_grad_()
    loss = classification_loss(network(x), torch.from_numpy(y), weights, smoothing)
    values = parameters(network)
    found = torch.autograd.grad(loss, [*values[0], *values[1], x])
    count = len(values[0])
    return loss.item(), [g.numpy() for g in found[:count]], [g.numpy() for g in found[count:-1]], found[-1].numpy()


def assert_same(found, expected, tolerance=1e-10):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("rows", [1, 2, 17])
@pytest.mark.parametrize("hidden", DEPTHS.values(), ids=DEPTHS.keys())
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_loss_and_every_gradient_are_those_by_hand(activation, hidden, rows):
    network, reference = make(activation, hidden)
    x, y = batch(rows)
    loss, weights, biases, inputs = by_autograd(network, x, y)
    expected, gradients = reference.backward(flat(x), soft_labels(y, CLASSES, 0.0))
    assert loss == pytest.approx(expected, abs=1e-10)
    assert_same(weights, gradients.weights)
    assert_same(biases, gradients.biases)
    assert_same([flat(inputs)], [gradients.inputs])
    assert all(np.abs(gradient).max() > 1e-4 for gradient in (*gradients.weights, *gradients.biases))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("choice", [None, "balanced", [0.5, 2.0, 1.0, 3.0]], ids=["even", "balanced", "given"])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_class_weights_and_label_smoothing_are_those_by_hand(activation, choice, smoothing):
    network, reference = make(activation, [6, 5])
    x, y = batch(9)
    weight = class_weights(choice, COUNTS)
    weight = None if weight is None else weight.double()
    loss, weights, biases, _ = by_autograd(network, x, y, weight, smoothing)
    by_hand = None if weight is None else weight.numpy()
    expected, gradients = reference.backward(flat(x), soft_labels(y, CLASSES, smoothing), by_hand)
    assert loss == pytest.approx(expected, abs=1e-10)
    assert_same(weights + biases, gradients.weights + gradients.biases)


def test_mixed_labels_are_those_by_hand():
    network, reference = make("tanh", [6])
    x, _ = batch(8)
    labels = np.random.default_rng(2).dirichlet(np.ones(CLASSES), 8)
    loss, weights, biases, _ = by_autograd(network, x, labels, torch.tensor([1.0, 2.0, 0.5, 1.0]).double(), 0.2)
    smoothed = 0.8 * labels + 0.2 / CLASSES
    expected, gradients = reference.backward(flat(x), smoothed, np.array([1.0, 2.0, 0.5, 1.0]))
    assert loss == pytest.approx(expected, abs=1e-10)
    assert_same(weights + biases, gradients.weights + gradients.biases)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_differences_of_the_loss_agree_with_both(activation):
    """Central differences need no derivative at all; their own error is about 1e-9."""
    network, reference = make(activation, [5, 4])
    x, y = batch(6)
    weight = torch.tensor([0.5, 2.0, 1.0, 3.0]).double()
    _, weights, biases, _ = by_autograd(network, x, y, weight, 0.1)
    _, gradients = reference.backward(flat(x), soft_labels(y, CLASSES, 0.1), weight.numpy())
    rows, targets = torch.from_numpy(x), torch.from_numpy(y)

    @torch.no_grad()
    def slopes(parameter, step=1e-5):
        found, values = np.zeros(parameter.numel()), parameter.view(-1)
        for place in range(len(found)):
            middle, ends = values[place].item(), []
            for value in (middle + step, middle - step):
                values[place] = value
                ends.append(classification_loss(network(rows), targets, weight, 0.1).item())
            values[place] = middle
            found[place] = (ends[0] - ends[1]) / (2 * step)
        return found.reshape(parameter.shape)

    numerical = [slopes(parameter) for group in parameters(network) for parameter in group]
    assert_same(numerical, gradients.weights + gradients.biases, 1e-7)
    assert_same(numerical, weights + biases, 1e-7)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_huge_inputs_stay_finite_and_equal(activation):
    network, reference = make(activation, [6, 5])
    x, y = batch(12, scale=1e3)
    loss, weights, biases, _ = by_autograd(network, x, y)
    expected, gradients = reference.backward(flat(x), soft_labels(y, CLASSES, 0.0))
    assert np.isfinite(loss)
    assert loss == pytest.approx(expected, rel=1e-12)
    for found, by_hand in zip(weights + biases, gradients.weights + gradients.biases, strict=True):
        np.testing.assert_allclose(found, by_hand, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_steps_of_descent_lead_to_the_same_weights(activation):
    network, reference = make(activation, [7, 5])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2)
    x, y = batch(24)
    losses = []
    for step in range(12):
        part = slice(8 * (step % 3), 8 * (step % 3) + 8)
        optimizer.zero_grad()
        loss = classification_loss(network(torch.from_numpy(x[part])), torch.from_numpy(y[part]), smoothing=0.05)
        loss.backward()
        optimizer.step()
        by_hand, gradients = reference.backward(flat(x[part]), soft_labels(y[part], CLASSES, 0.05))
        reference.descend(gradients, 0.2)
        losses.append((loss.item(), by_hand))
    assert_same(*zip(*losses, strict=True))
    found = [value.detach().numpy() for group in parameters(network) for value in group]
    assert_same(found, reference.weights + reference.biases)
    assert sum(losses[-1 - n][1] for n in range(3)) < sum(losses[n][1] for n in range(3))


def test_dropout_is_the_one_layer_the_reference_lacks():
    """Linear layers, activations and dropout are all there is, so the reference is of the whole network."""
    for activation in ACTIVATIONS:
        kinds = {type(layer).__name__ for layer in MLP(SHAPE, 3, activation=activation).layers}
        assert len(kinds - {"Flatten", "Linear", "Dropout"}) == 1
    network, reference = make("relu", [6])
    x, _ = batch(5)
    network.train()
    logits = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(logits, reference.forward(flat(x))[1][-1], rtol=0, atol=1e-12)
