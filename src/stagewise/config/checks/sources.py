"""Read Python modules without running them: where they lie, what they define, which types they write down."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import Field

TYPES: dict[str, Any] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list, "tuple": tuple, "dict": dict, "Any": Any,
    "Sequence": Sequence, "Mapping": Mapping, "Literal": Literal, "Annotated": Annotated, "Optional": Optional,
    "Union": Union,
}  # fmt: skip
"""The types that an annotation may be made of to be understood."""

LIMITS: dict[str, Any] = {
    "Ge": Ge, "Gt": Gt, "Le": Le, "Len": Len, "Lt": Lt, "MaxLen": MaxLen, "MinLen": MinLen, "MultipleOf": MultipleOf,
    "Field": Field,
}  # fmt: skip
"""The constraints that an annotation may call."""


class NotStaticError(Exception):
    """An expression that means nothing without running its module."""


@dataclass(frozen=True)
class Source:
    """A parsed module, and the project in which its imports are looked up."""

    tree: ast.Module
    root: Path

    def definition(self, name: str) -> tuple[ast.stmt, "Source"] | None:
        """Return the statement that defines a top-level name, following ``from x import name``, with its module."""
        for node in reversed(self.tree.body):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
                return node, self
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                return node, self
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    other = read_source(node.module, self.root) if (alias.asname or alias.name) == name else None
                    if other is not None:
                        return other.definition(alias.name)
        return None

    def evaluate(self, node: ast.expr) -> Any:
        """Return the type that an annotation stands for.

        Only ``TYPES``, ``LIMITS``, constants and names assigned in project modules are understood, and nothing is run.

        Raises:
            NotStaticError: the annotation says more than that.
        """
        match node:
            case ast.Constant(value=str() as text):
                return self.evaluate(_parse_annotation(text))
            case ast.Constant(value=None):
                return None
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute(attr=name):
                return self._named(name)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return Union[self.evaluate(left), self.evaluate(right)]  # noqa: UP007
            case ast.Subscript(value=value, slice=index):
                return self._subscript(self.evaluate(value), index)
        raise NotStaticError(ast.unparse(node))

    def _named(self, name: str) -> Any:
        if name in TYPES:
            return TYPES[name]
        found = self.definition(name)
        if found and isinstance(found[0], ast.Assign):
            return found[1].evaluate(found[0].value)
        raise NotStaticError(name)

    def _subscript(self, base: Any, index: ast.expr) -> Any:
        items = index.elts if isinstance(index, ast.Tuple) else [index]
        if base is Literal:
            return Literal[tuple(_constant(item) for item in items)]
        if base is Annotated:
            limits = [limit for item in items[1:] if (limit := _limit(item)) is not None]
            inner = self.evaluate(items[0])
            return Annotated[(inner, *limits)] if limits else inner
        arguments = tuple(... if _is_ellipsis(item) else self.evaluate(item) for item in items)
        return base[arguments if len(arguments) > 1 else arguments[0]]


def read_source(name: str, root: Path) -> Source | None:
    """Parse the module ``name`` of the project's src/ or of an installed library; None where it has no source."""
    file = _find_module(name, root)
    if file is None:
        return None
    status = file.stat()
    return _parse(file, root, status.st_mtime_ns, status.st_size)


@cache
def _parse(file: Path, root: Path, _modified: int, _size: int) -> Source | None:
    try:
        return Source(ast.parse(file.read_bytes()), root)
    except (SyntaxError, ValueError):
        return None


def _find_module(name: str, root: Path) -> Path | None:
    """Locate a module's source without importing its parents."""
    parts = name.split(".")
    place = root / "src" / parts[0]
    if not place.is_dir() and not place.with_name(f"{parts[0]}.py").is_file():
        installed = _installed(parts[0])
        if installed is None:
            return None
        place = installed
    place = place.joinpath(*parts[1:])
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def _installed(package: str) -> Path | None:
    spec = PathFinder.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin)
    return file.parent if file.name == "__init__.py" else file.with_suffix("")


def _parse_annotation(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise NotStaticError(text) from error


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise NotStaticError(ast.unparse(node)) from error


def _limit(node: ast.expr) -> Any:
    """Return the constraint that a call makes; None for other metadata, which limits nothing."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=values, keywords=named) if name in LIMITS:
            return LIMITS[name](*map(_constant, values), **{str(item.arg): _constant(item.value) for item in named})
    return None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def class_constant(name: str, attribute: str, root: Path) -> Any:
    """Return the literal that a class (full dotted name), or one it derives from, assigns to an attribute; or None."""
    module, _, class_name = name.rpartition(".")
    source = read_source(module, root)
    return _constant_of(source.definition(class_name), attribute) if source else None


def _constant_of(found: tuple[ast.stmt, Source] | None, attribute: str) -> Any:
    node, source = found if found is not None else (None, None)
    if not isinstance(node, ast.ClassDef) or source is None:
        return None
    for item in node.body:
        value = _assigned(item, attribute)
        if value is not None:
            try:
                return ast.literal_eval(value)
            except ValueError:
                return None
    bases = [source.definition(base.id) for base in node.bases if isinstance(base, ast.Name)]
    return next((value for value in (_constant_of(base, attribute) for base in bases) if value is not None), None)


def _assigned(item: ast.stmt, name: str) -> ast.expr | None:
    """Return what a statement of a class body assigns to ``name``."""
    targets = item.targets if isinstance(item, ast.Assign) else [item.target] if isinstance(item, ast.AnnAssign) else []
    value = item.value if isinstance(item, (ast.Assign, ast.AnnAssign)) else None
    return value if any(isinstance(target, ast.Name) and target.id == name for target in targets) else None
