"""A multilayer perceptron with its gradients written out by hand, in float64 numpy: the reference for ours.

Rows are samples throughout. With N rows, layer l computes z_l = a_{l-1} W_l^T + b_l and a_l = f(z_l), the last layer
the logits z_L alone. The loss is the sum over the rows of cross-entropies, each class times its weight, over N.

Backwards, d_l is the derivative of the loss by z_l:

    d_L = (p * sum_c m_c - m) / N        p: softmax of the logits, m_c: weight of class c times its share of the label
    d_l = (d_{l+1} W_{l+1}) * f'(z_l)
    dW_l = d_l^T a_{l-1}                 db_l = sum of d_l over the rows
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]


def _sigmoid(z: Floats) -> Floats:
    # Never the exponential of a large positive number.
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)


def _normal_cdf(z: Floats) -> Floats:
    return (1 + erf(z / np.sqrt(2))) / 2


def _normal_density(z: Floats) -> Floats:
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


ACTIVATIONS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(np.float64)),
    "silu": (lambda z: z * _sigmoid(z), lambda z: _sigmoid(z) * (1 + z * _sigmoid(-z))),
    "gelu": (lambda z: z * _normal_cdf(z), lambda z: _normal_cdf(z) + z * _normal_density(z)),
}
"""Functions and their derivatives; that of relu is 0 at 0."""


@dataclass(frozen=True)
class Gradients:
    """Derivatives of the loss by the weights and biases of every layer, and by the input ``(N, inputs)``."""

    weights: list[Floats]
    biases: list[Floats]
    inputs: Floats


class NumpyNetwork:
    """Dense layers with an activation after each but the last.

    Args:
        weights: per layer ``(outputs, inputs)``.
        biases: per layer ``(outputs,)``.
        activation: a name in ``ACTIVATIONS``.
    """

    def __init__(self, weights: list[Floats], biases: list[Floats], activation: str) -> None:
        self.weights = [np.array(weight, np.float64) for weight in weights]
        self.biases = [np.array(bias, np.float64) for bias in biases]
        self._function, self._derivative = ACTIVATIONS[activation]

    def forward(self, x: Floats) -> tuple[list[Floats], list[Floats]]:
        """What enters each layer, ``(N, inputs)``, and what comes out before the activation; the logits are last."""
        entering, out = [x], []
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            out.append(entering[-1] @ weight.T + bias)
            if number < len(self.weights):
                entering.append(self._function(out[-1]))
        return entering, out

    def backward(self, x: Floats, labels: Floats, class_weights: Floats | None = None) -> tuple[float, Gradients]:
        """The loss and all its derivatives.

        Args:
            x: flat rows ``(N, inputs)``.
            labels: share of each class in the label ``(N, classes)``, rows sum to one.
            class_weights: ``(classes,)``.
        """
        entering, out = self.forward(x)
        loss, delta = cross_entropy(out[-1], labels, class_weights)
        weights, biases = [], []
        for layer in reversed(range(len(self.weights))):
            weights.append(delta.T @ entering[layer])
            biases.append(delta.sum(axis=0))
            delta = delta @ self.weights[layer]
            if layer:
                delta = delta * self._derivative(out[layer - 1])
        return loss, Gradients(weights[::-1], biases[::-1], delta)

    def descend(self, gradients: Gradients, rate: float) -> None:
        """One step of plain gradient descent."""
        for parameters, slopes in ((self.weights, gradients.weights), (self.biases, gradients.biases)):
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter -= rate * slope


def cross_entropy(logits: Floats, labels: Floats, class_weights: Floats | None) -> tuple[float, Floats]:
    """The loss, and its derivative by the logits ``(N, classes)``."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    mass = labels if class_weights is None else labels * class_weights
    loss = -(mass * log_softmax).sum() / len(logits)
    return float(loss), (np.exp(log_softmax) * mass.sum(axis=1, keepdims=True) - mass) / len(logits)


def soft_labels(y: NDArray[np.int64], classes: int, smoothing: float) -> Floats:
    """Labels ``(N, classes)`` of which ``smoothing`` is spread evenly over all classes."""
    return (1 - smoothing) * np.eye(classes)[y] + smoothing / classes
