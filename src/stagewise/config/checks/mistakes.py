"""One mistake of a config: where it is, what is wrong, and what was probably meant."""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from stagewise.config.origins import Key


class Mistake(NamedTuple):
    """What is wrong at a config key."""

    key: Key
    why: str
    hint: str = ""
    """The nearest valid names, said after the place; see ``nearest``."""
    place: str | None = None
    """``file:line`` where it is known; else the origin of the key is looked up."""


def describe_validation(
    error: ValidationError, config: Any, prefix: Key, valid_names: Callable[[Key], Iterable[str]]
) -> Iterator[Mistake]:
    """Yield one mistake per wrong key; the members of a union are reported together.

    Args:
        error: what pydantic found.
        config: the value that was validated.
        prefix: where ``config`` lies in the whole.
        valid_names: the names that a section, given by its key in the whole, takes.
    """
    by_key: dict[Key, list[Any]] = {}
    for item in error.errors():
        by_key.setdefault((*prefix, *_real_key(item, config)), []).append(item)
    for key, items in by_key.items():
        yield _describe(key, items, valid_names)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``; did you mean ...?``, or else all valid names."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; valid: {', '.join(names)}" if names else ""


def dotted(key: Key) -> str:
    """Write a key as Hydra does."""
    return ".".join(str(part) for part in key)


def _describe(key: Key, items: list[Any], valid_names: Callable[[Key], Iterable[str]]) -> Mistake:
    kind, value = items[0]["type"], items[0]["input"]
    if kind == "extra_forbidden":
        return Mistake(key, "unknown key", nearest(str(key[-1]), valid_names(key[:-1])))
    if kind == "missing":
        return Mistake(key, "required, but nowhere set")
    shown = type(value).__name__ if isinstance(value, (dict, list)) else json.dumps(value)
    wanted = " or ".join(dict.fromkeys(item["msg"].removeprefix("Input ") for item in items))
    return Mistake(key, f"{wanted}, not {shown}")


def _real_key(item: Any, config: Any) -> Key:
    """Drop the names of union members that pydantic puts into a location."""
    key: list[str | int] = []
    node = config
    for part in item["loc"]:
        places: Any = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        if part in places:
            key.append(part)
            node = node[part]
    if item["type"] == "missing":
        key.append(item["loc"][-1])
    return tuple(key)
