"""Where training starts: given weights, frozen layers."""

from pathlib import Path

from torch import nn

from stagewise.errors import ConfigError
from stagewise.tasks.weights import load_weights


def prepare_network(network: nn.Module, init_from: str | None, freeze: list[str]) -> None:
    """Load the weights in ``init_from`` and freeze the parameters under the given dotted prefixes.

    Modules that are frozen as a whole go to eval mode: their running statistics and dropout rest too.

    Raises:
        TrainingError: the weights are missing, damaged, or do not fit.
        ConfigError: a prefix names no parameter.
    """
    if init_from is not None:
        load_weights(network, Path(init_from))
    names = [name for name, _ in network.named_parameters()]
    for prefix in freeze:
        if not any(_under(name, prefix) for name in names):
            raise ConfigError(
                f"there is no parameter under {prefix!r}",
                where="trainer.freeze",
                fix=f"valid prefixes: {', '.join(_prefixes(names))}",
            )
    for name, parameter in network.named_parameters():
        if any(_under(name, prefix) for prefix in freeze):
            parameter.requires_grad_(False)
    for name, module in network.named_modules():
        if name and any(_under(name, prefix) for prefix in freeze):
            module.train(False)


def _under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def _prefixes(names: list[str]) -> list[str]:
    """Every name and every parent of a name, parents first, in the order of the network."""
    found: dict[str, None] = {}
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            found[".".join(parts[:end])] = None
    return list(found)
