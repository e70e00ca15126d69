"""Check ``_target_`` sections against the signatures of what they name, without importing it.

Importing torch to learn the arguments of an optimiser would cost seconds; its source says the same: which arguments
there are, which must be given, and, where the annotation can be read as a type, which values they take.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from stagewise.config.checks.mistakes import Mistake, describe_validation, nearest
from stagewise.config.checks.roles import Role, role_of
from stagewise.config.checks.sources import NotStaticError, Source, read_source
from stagewise.config.origins import Key
from stagewise.config.own_targets import FILE
from stagewise.config.targets import FUNCTIONS, LIBRARY, PROJECT, SPECIAL, find_targets, is_allowed, is_special


@dataclass(frozen=True)
class Argument:
    """One argument of a class or function; ``kind`` is its type, ``Any`` where the source does not say it plainly."""

    required: bool
    kind: Any


@dataclass(frozen=True)
class Signature:
    """The arguments of a class or function, and whether it takes any others."""

    arguments: dict[str, Argument]
    open_ended: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arguments, in order."""
        return tuple(self.arguments)


def check_targets(config: dict[str, Any], root: Path) -> Iterator[Mistake]:
    """Yield every target that is not allowed, does not exist, or whose arguments are not those of its signature."""
    for key, name in find_targets(config):
        if not isinstance(name, str) or not is_allowed(name, root):
            yield Mistake((*key, SPECIAL), f"{name!r} may not be named by a config", _where_allowed(key))
            continue
        arguments = {argument: value for argument, value in _at(config, key).items() if argument != SPECIAL}
        special = [argument for argument in arguments if is_special(argument)]
        yield from (Mistake((*key, item), "is Hydra's own; a target takes plain arguments only") for item in special)
        signature = read_signature(name, root)
        if signature is None:
            yield Mistake((*key, SPECIAL), f"{name!r} does not exist")
        else:
            plain = {argument: value for argument, value in arguments.items() if argument not in special}
            yield from _check_target(key, name, plain, signature)


def read_signature(name: str, root: Path) -> Signature | None:
    """Return the signature of a dotted name by reading its source, or None where there is no such thing.

    Of the project's own modules only what is defined in the module itself counts: classes, and of schedules functions.
    """
    module, _, attribute = name.rpartition(".")
    source = read_source(module, root)
    found = source.definition(attribute) if source else None
    if source is None or found is None:
        return None
    node, home = found
    ours = name.startswith(PROJECT)
    if ours and home is not source:
        return None
    if isinstance(node, ast.FunctionDef) and (not ours or name.startswith(FUNCTIONS)):
        return _from_function(node, home, 0)
    return _from_class(node, home) if isinstance(node, ast.ClassDef) else None


def _check_target(key: Key, name: str, arguments: dict[str, Any], signature: Signature) -> Iterator[Mistake]:
    role = role_of(key) or Role("target", "")
    builtin = name in LIBRARY or name.startswith(PROJECT)
    lacks = [] if signature.open_ended else [item for item in role.given if item not in signature.arguments]
    if (builtin and not name.startswith(role.prefixes)) or lacks:
        below = " or ".join(prefix[:-1] for prefix in role.prefixes)
        why = f"it does not take {', '.join(lacks)}" if lacks else f"those lie below {below}"
        yield Mistake((*key, SPECIAL), f"{name} is no {role.what}: {why}")
        return
    free = [item for item in signature.arguments if item not in role.given]
    for argument, value in arguments.items():
        if argument in role.given:
            yield Mistake((*key, argument), f"is given to a {role.what} by the pipeline, not by a config")
        elif argument in signature.arguments:
            yield from _check_value(key, argument, value, _kind(name, argument, signature))
        elif not signature.open_ended:
            yield Mistake((*key, argument), f"{name} has no argument of this name", nearest(argument, free))
    for argument in free:
        if signature.arguments[argument].required and argument not in arguments:
            yield Mistake((*key, argument), f"{name} requires it, but it is nowhere set")


def _kind(name: str, argument: str, signature: Signature) -> Any:
    return LIBRARY.get(name, {}).get(argument, signature.arguments[argument].kind)


def _check_value(key: Key, argument: str, value: Any, kind: Any) -> Iterator[Mistake]:
    adapter = None if kind is Any else _adapter(kind)
    if adapter is None:
        return
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        yield from describe_validation(error, value, (*key, argument), lambda _: ())


@cache
def _adapter(kind: Any) -> TypeAdapter[Any] | None:
    """Return what validates a type, or None for a type that JSON cannot hold."""
    try:
        return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))
    except (PydanticUserError, TypeError):
        return None


def _from_class(node: ast.ClassDef, source: Source) -> Signature:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            own = _from_function(item, source, 1)
            return _with_handed_on(own, item, _base(node, source)) if own.open_ended else own
    fields = {
        item.target.id: Argument(item.value is None, _evaluate(item.annotation, source))
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not _is_class_variable(item)
    }
    if fields or not node.bases:
        return Signature(fields, open_ended=False)
    return _base(node, source) or Signature({}, open_ended=True)


def _base(node: ast.ClassDef, source: Source) -> Signature | None:
    """Return the signature of the first base class whose source can be read; a protocol's would say nothing."""
    for base in node.bases:
        named = isinstance(base, ast.Name) and base.id != "Protocol"
        found = source.definition(ast.unparse(base)) if named else None
        if found is not None and isinstance(found[0], ast.ClassDef) and found[0] is not node:
            return _from_class(found[0], found[1])
    return None


def _with_handed_on(own: Signature, init: ast.FunctionDef, base: Signature | None) -> Signature:
    """Add what ``super().__init__(..., **given)`` hands on: the base's arguments that the call does not set itself."""
    given = init.args.kwarg.arg if init.args.kwarg else None
    for call in ast.walk(init):
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")) if base:
                if any(word.arg is None and ast.unparse(word.value) == given for word in call.keywords):
                    set_here = {word.arg for word in call.keywords} | set(base.names[: len(call.args)])
                    rest = {name: found for name, found in base.arguments.items() if name not in set_here}
                    return Signature(rest | own.arguments, base.open_ended)
    return own


def _from_function(node: ast.FunctionDef, source: Source, skip: int) -> Signature:
    spec = node.args
    positional = [*spec.posonlyargs, *spec.args]
    first_default = len(positional) - len(spec.defaults)
    required = {item.arg: number < first_default for number, item in enumerate(positional)}
    required |= {item.arg: value is None for item, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)}
    arguments = {
        item.arg: Argument(required[item.arg], _evaluate(item.annotation, source))
        for item in [*positional[skip:], *spec.kwonlyargs]
    }
    return Signature(arguments, open_ended=spec.kwarg is not None)


def _evaluate(annotation: ast.expr | None, source: Source) -> Any:
    if annotation is None:
        return Any
    try:
        return source.evaluate(annotation)
    except (NotStaticError, TypeError, RecursionError):
        return Any


def _is_class_variable(item: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(item.annotation)


def _at(config: Any, key: Key) -> dict[str, Any]:
    for part in key:
        config = config[part]
    return dict(config)


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _where_allowed(key: Key) -> str:
    role = role_of(key)
    if role is None:
        return ""
    places = " or ".join(f"{prefix}*" for prefix in role.prefixes)
    return f"; name {_a(role.what)} of {places}, or add your own to {FILE}"
