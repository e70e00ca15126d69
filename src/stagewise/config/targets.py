"""Which classes a config may name, and how they are built: default-deny.

Hydra's ``_target_`` imports and calls whatever a YAML file names. Here a target is refused
unless its module lies under one of ``PROJECT`` or its full name is in ``LIBRARY``.
"""

import importlib
from collections.abc import Iterator
from typing import Any

from stagewise.config.schema.base import Target
from stagewise.errors import ConfigError

PROJECT = (
    "stagewise.compression.candidates.",
    "stagewise.data.augment.",
    "stagewise.data.features.",
    "stagewise.data.readers.",
    "stagewise.evaluation.",
    "stagewise.models.",
    "stagewise.tasks.",
    "stagewise.training.schedules.",
)
"""Module prefixes of the project whose classes and functions a config may name."""

LIBRARY = frozenset(
    {
        "torch.optim.SGD",
        "torch.optim.Adam",
        "torch.optim.AdamW",
        "torch.optim.Adagrad",
        "torch.optim.RMSprop",
    }
)
"""Library classes that a config may name."""


def is_allowed(name: str) -> bool:
    """Whether a config may name this target; private names never are."""
    if any(not part.isidentifier() or part.startswith("_") for part in name.split(".")):
        return False
    return name in LIBRARY or name.startswith(PROJECT)


def find_targets(value: Any, key: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield ``(key, target name)`` for every ``_target_`` in a nested config."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield key, value["_target_"]
        for name, child in value.items():
            yield from find_targets(child, (*key, str(name)))
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            yield from find_targets(child, (*key, index))


def build(target: Target, **objects: Any) -> Any:
    """Import the target and call it with its config arguments and ``objects``.

    Nested ``_target_`` mappings among the arguments are built first.

    Raises:
        ConfigError: the name is not allowed, does not exist, or does not take these arguments.
    """
    return _call(target.target, target.arguments, objects)


def _call(name: str, arguments: dict[str, Any], objects: dict[str, Any]) -> Any:
    factory = _load(name)
    values = {key: _build_nested(value) for key, value in arguments.items()}
    try:
        return factory(**values, **objects)
    except TypeError as error:
        raise ConfigError(f"{name} cannot be built", why=str(error), fix="compare its arguments in conf/") from error


def _build_nested(value: Any) -> Any:
    if isinstance(value, dict):
        if "_target_" in value:
            return _call(value["_target_"], {k: v for k, v in value.items() if k != "_target_"}, {})
        return {key: _build_nested(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_build_nested(child) for child in value]
    return value


def _load(name: str) -> Any:
    if not is_allowed(name):
        raise ConfigError(f"_target_ {name!r} is not allowed", fix="name a class of stagewise, or see docs/config.md")
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"_target_ {name!r} does not exist", why=str(error)) from error
