"""Compare what entered a stage at two times: config values, code and libraries of ``build/<stage>.yaml``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Entry = dict[str, Any]

_LONGEST = 48
_ABSENT = object()


@dataclass(frozen=True)
class Changes:
    """What differs between two entries, each line in words."""

    values: list[str]
    code: list[str]
    libraries: list[str]

    def __bool__(self) -> bool:
        return bool(self.values or self.code or self.libraries)


def parse_entry(text: str) -> Entry:
    """Return the content of a ``build/<stage>.yaml``: ``config``, ``code``, ``libraries`` and ``files``."""
    entry = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return entry if isinstance(entry, dict) else {}


def compare_entries(old: Entry, new: Entry) -> Changes:
    """Return the differences from ``old`` to ``new``: values as ``key old -> new``, modules and files, versions."""
    config = _pairs(_flatten(old.get("config", {})), _flatten(new.get("config", {})))
    code = _pairs(_files(old), _files(new))
    libraries = _pairs(old.get("libraries", {}), new.get("libraries", {}))
    return Changes(
        [_change(key, before, after) for key, before, after in config],
        [f"{path} {_verb(before, after)}" for path, before, after in code],
        [_change(name, before, after) for name, before, after in libraries],
    )


def _pairs(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if before != after or type(before) is not type(after):
            yield key, before, after


def _files(entry: Entry) -> dict[str, str]:
    """The digests of modules, and of files that the config names."""
    return {**entry.get("code", {}), **entry.get("files", {})}


def _flatten(value: Any, key: str = "") -> dict[str, Any]:
    """Return every leaf under its dotted key; a list of plain values and an empty mapping are leaves."""
    if isinstance(value, dict) and value:
        children = [(f"{key}.{name}" if key else str(name), child) for name, child in value.items()]
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        children = [(f"{key}.{index}", child) for index, child in enumerate(value)]
    else:
        return {key: value} if key else {}
    return {name: leaf for path, child in children for name, leaf in _flatten(child, path).items()}


def _change(key: str, before: Any, after: Any) -> str:
    if before is _ABSENT:
        return f"{key} added: {_shown(after)}"
    if after is _ABSENT:
        return f"{key} removed, was {_shown(before)}"
    return f"{key} {_shown(before)} -> {_shown(after)}"


def _verb(before: Any, after: Any) -> str:
    if before is _ABSENT:
        return "added"
    return "removed" if after is _ABSENT else "changed"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
