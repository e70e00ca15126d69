"""Check ``_target_`` sections against the signatures of what they name, without importing it.

Importing torch to learn the arguments of an optimiser would cost seconds; its source says the same.
"""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from stagewise.config.origins import Key
from stagewise.config.targets import find_targets, is_allowed


@dataclass(frozen=True)
class Signature:
    """The argument names of a class or function, and whether it takes any others."""

    names: tuple[str, ...]
    open_ended: bool


def check_targets(config: dict[str, Any], root: Path) -> Iterator[tuple[Key, str]]:
    """Yield ``(key, reason)`` for every target that is not allowed, does not exist, or has an unknown argument."""
    for key, name in find_targets(config):
        if not isinstance(name, str) or not is_allowed(name):
            yield (*key, "_target_"), f"{name!r} may not be named by a config"
            continue
        signature = read_signature(name, root)
        if signature is None:
            yield (*key, "_target_"), f"{name!r} does not exist"
        elif not signature.open_ended:
            for argument in _at(config, key):
                if argument != "_target_" and argument not in signature.names:
                    yield (*key, argument), f"{name} has no argument of this name{_nearest(argument, signature.names)}"


def read_signature(name: str, root: Path) -> Signature | None:
    """Return the signature of a dotted name by reading its source, or None where there is no such thing."""
    module, _, attribute = name.rpartition(".")
    file = _find_module(module, root)
    if file is None:
        return None
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return _from_function(node, skip=0)
        if isinstance(node, ast.ClassDef) and node.name == attribute:
            return _from_class(node)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == attribute:
                    return read_signature(f"{node.module}.{alias.name}", root)
    return None


def _from_class(node: ast.ClassDef) -> Signature:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _from_function(item, skip=1)
    fields = [
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    return Signature(tuple(fields), open_ended=bool(node.bases) and not fields)


def _from_function(node: ast.FunctionDef, skip: int) -> Signature:
    arguments = node.args
    names = [item.arg for item in [*arguments.posonlyargs, *arguments.args][skip:] + arguments.kwonlyargs]
    return Signature(tuple(names), open_ended=arguments.kwarg is not None)


@cache
def _find_module(name: str, root: Path) -> Path | None:
    """Locate a module's source in the project or an installed library without importing its parents."""
    parts = name.split(".")
    place = root / "src" / parts[0]
    if not place.is_dir():
        spec = PathFinder.find_spec(parts[0])
        if spec is None or spec.origin is None:
            return None
        place = Path(spec.origin).parent
    place = place.joinpath(*parts[1:])
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _at(config: Any, key: Key) -> dict[str, Any]:
    for part in key:
        config = config[part]
    return dict(config)


def _nearest(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else f"; it takes {', '.join(names)}"
