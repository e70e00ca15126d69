"""Resolve ``${...}``: every value that cannot be resolved is found at once, and none may read the environment."""

from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from stagewise.config.checks.files import why_malformed
from stagewise.config.checks.mistakes import Mistake, dotted, nearest
from stagewise.config.origins import Key
from stagewise.config.targets import SPECIAL

MISSING = "???"


def check_values(value: Any, key: Key = ()) -> Iterator[Mistake]:
    """Yield every value of an unresolved config that must not be resolved at all."""
    for place, text in _texts(value, key):
        if text == MISSING:
            yield Mistake(place, "must be given: ??? stands for a value that the user has to choose")
        elif "${" in text:
            why = _why_refused(place, text)
            if why:
                yield Mistake(place, why)


def resolve(config: Any) -> tuple[Any, list[Mistake]]:
    """Return a plain config with every interpolation resolved, null where that failed, and a mistake for each.

    Raises:
        OmegaConfBaseException: the config holds what OmegaConf cannot (checked before by ``check_values``).
    """
    tree = OmegaConf.create(config)
    names = sorted({dotted(key) for key in _keys(config, ())})
    mistakes = []
    for key, text in list(_texts(config, ())):
        if "${" in text:
            mistakes += _try(tree, key, text, names)
    for mistake in mistakes:
        blank(config, mistake.key)
    return OmegaConf.to_container(OmegaConf.create(config), resolve=True), mistakes


def blank(config: Any, key: Key) -> None:
    """Set one value of a nested config to null."""
    for part in key[:-1]:
        config = config[part]
    config[key[-1]] = None


def _try(tree: Any, key: Key, text: str, names: list[str]) -> list[Mistake]:
    node = tree
    try:
        for part in key:
            node = node[part]
        if OmegaConf.is_config(node):
            OmegaConf.to_container(node, resolve=True)
    except InterpolationKeyError as error:
        missing = str(error).partition("'")[2].partition("'")[0]
        hint = nearest(missing, names)
        known = hint if "did you mean" in hint else ""  # all names would be too many
        return [Mistake(key, f"{text} leads nowhere: there is no {missing!r}", known)]
    except (OmegaConfBaseException, RecursionError) as error:
        why = str(error).splitlines()[0]
        circular = isinstance(error, RecursionError) or "ecursive" in why or "parent node" in why
        return [Mistake(key, f"{text} leads back to itself" if circular else f"{text} cannot be resolved: {why}")]
    return []


def _why_refused(key: Key, text: str) -> str | None:
    malformed = why_malformed(text)
    if malformed:
        return f"{text!r} is no interpolation: {malformed}"
    if key[-1] == SPECIAL:
        return "a _target_ must be written out, not interpolated"
    called = next((body.partition(":")[0] for body in _bodies(text) if ":" in body), None)
    if called is not None:
        return f"${{{called}:...}} is not allowed: a config holds values, and reads neither the environment nor a clock"
    return None


def _bodies(text: str) -> Iterator[str]:
    """Yield what stands between the braces of each outermost ``${...}``."""
    start = text.find("${")
    while start >= 0:
        depth, end = 1, start + 2
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield text[start + 2 : end - 1]
        start = text.find("${", end)


def _texts(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    for place in _keys(value, key):
        node = value
        for part in place[len(key) :]:
            node = node[part]
        if isinstance(node, str):
            yield place, node


def _keys(value: Any, key: Key) -> Iterator[Key]:
    """Yield the key of everything below ``value``."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, child in pairs:
        yield (*key, part)
        yield from _keys(child, (*key, part))
