"""Small parts that several networks share."""

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
"""Activation functions by the names that configs use."""


def activation(name: str) -> nn.Module:
    """Return the activation of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} is unknown; it is one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def check_positive(**sizes: int) -> None:
    """Raise ValueError unless every size is a whole number of at least one."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {size!r}")
