"""Which classes a config may name, and how they are built: default-deny.

Hydra's ``_target_`` imports and calls whatever a YAML file names. Here a target is refused unless it is a class
below one of ``PROJECT`` (of ``FUNCTIONS``: a function), or its full name is in ``LIBRARY`` or in the project's own
conf/targets.yaml. No environment variable and no override changes the list.
"""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from stagewise.config.own_targets import FILE, matches, read_own_targets, why_denied
from stagewise.config.schema.base import Target
from stagewise.errors import ConfigError

FUNCTIONS = ("stagewise.training.schedules.",)
"""Module prefixes of the project whose functions a config may name."""

PROJECT = (
    "stagewise.compression.candidates.",
    "stagewise.compression.exports.",
    "stagewise.compression.networks.",
    "stagewise.data.augment.",
    "stagewise.data.features.",
    "stagewise.data.preprocess.",
    "stagewise.data.readers.",
    "stagewise.data.rows.",
    "stagewise.data.series.",
    "stagewise.data.targets.",
    "stagewise.evaluation.",
    "stagewise.models.",
    "stagewise.report.displays.",
    "stagewise.tasks.",
    *FUNCTIONS,
)
"""Module prefixes of the project whose classes a config may name."""

_Positive = Annotated[float, Gt(0)]
_NotNegative = Annotated[float, Ge(0)]
_Decay = Annotated[float, Ge(0), Lt(1)]
_COMMON: dict[str, Any] = {"lr": _Positive, "weight_decay": _NotNegative}
_ADAM = _COMMON | {"betas": tuple[_Decay, _Decay], "eps": _Positive}

LIBRARY: dict[str, dict[str, Any]] = {
    "torch.optim.SGD": _COMMON | {"momentum": _Decay, "dampening": Annotated[float, Ge(0), Le(1)]},
    "torch.optim.Adam": _ADAM,
    "torch.optim.AdamW": _ADAM,
    "torch.optim.Adagrad": _COMMON
    | {"lr_decay": _NotNegative, "initial_accumulator_value": _NotNegative, "eps": _NotNegative},
    "torch.optim.RMSprop": _COMMON | {"alpha": _Decay, "momentum": _Decay, "eps": _NotNegative},
}
"""Library classes that a config may name, with the types and ranges that their signatures do not say."""

SPECIAL = "_target_"
"""The only key with underscores around it that a target may have; ``_partial_``, ``_args_``, ... are Hydra's."""


def is_allowed(name: str, root: Path | None = None) -> bool:
    """Whether a config may name this target; private names never are.

    Args:
        name: full dotted name.
        root: the project, whose conf/targets.yaml is read; without it only the built-in list counts.
    """
    if any(not _is_public(part) for part in name.split(".")):
        return False
    if name in LIBRARY or name.startswith(PROJECT):
        return True
    return root is not None and matches(name, read_own_targets(root))


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

    Nested ``_target_`` mappings among the arguments are built first, but for those that the class builds itself: it
    names them in its attribute ``later`` and gets them as written. The whole tree is checked against the list (and
    conf/targets.yaml of the current folder) before anything of it is imported.

    Raises:
        ConfigError: the name is not allowed, does not exist, or does not take these arguments.
    """
    _check({"_target_": target.target, **target.arguments})
    return _call(target.target, target.arguments, objects)


def _check(tree: Any) -> None:
    if isinstance(tree, dict):
        if SPECIAL in tree:
            _check_mapping(tree)
        for child in tree.values():
            _check(child)
    elif isinstance(tree, (list, tuple)):
        for child in tree:
            _check(child)


def _check_mapping(mapping: dict[str, Any]) -> None:
    name = mapping[SPECIAL]
    if not isinstance(name, str) or not is_allowed(name, Path.cwd()):
        raise ConfigError(f"_target_ {name!r} is not allowed", fix=f"name a class of stagewise, or add it to {FILE}")
    special = [key for key in mapping if is_special(key)]
    if special:
        raise ConfigError(f"{name}: {special[0]} is not allowed", why="a target takes plain arguments only")


def is_special(key: Any) -> bool:
    """Whether a key is one by which Hydra changes how a target is called."""
    return isinstance(key, str) and key.startswith("_") and key.endswith("_") and key != SPECIAL


def _call(name: str, arguments: dict[str, Any], objects: dict[str, Any]) -> Any:
    factory = _load(name)
    later = getattr(factory, "later", ())
    values = {key: value if key in later else _build_nested(value) for key, value in arguments.items()}
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
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"_target_ {name!r} does not exist", why=str(error)) from error
    reason = _why_unfit(name, module, found)
    if reason:
        raise ConfigError(f"_target_ {name!r} is not allowed", why=reason)
    return found


def _why_unfit(name: str, module: str, found: Any) -> str | None:
    """Say why an imported object is not what its name promised: a module may hold what others define."""
    if name in LIBRARY:
        return None
    home = getattr(found, "__module__", None)
    if not (inspect.isclass(found) or inspect.isfunction(found)) or not isinstance(home, str):
        return "it is no class and no function"
    if name.startswith(PROJECT):
        if home != module:
            return f"it is defined in {home}"
        return None if inspect.isclass(found) or name.startswith(FUNCTIONS) else "it is no class"
    return why_denied(f"{home}.{attribute_of(name)}")


def attribute_of(name: str) -> str:
    """Return the last part of a dotted name."""
    return name.rpartition(".")[2]


def _is_public(part: str) -> bool:
    # ASCII: Python folds full-width letters to plain ones, so that a reader would not see what is named.
    return part.isidentifier() and part.isascii() and not part.startswith("_")
