"""Semantic versions of packages, and the rule that says which part a change raises.

MAJOR: what goes in or comes out is another, so whoever calls the package must change. MINOR: the answers may be others.
PATCH: the card, the examples, the libraries, the predictor.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import IntEnum
from functools import total_ordering
from pathlib import Path
from typing import Any, Self

from stagewise.config.params import read_params
from stagewise.errors import ConfigError, PackageError
from stagewise.packaging.integrity import CODE, MODEL, SCHEMA

INTERFACE = {
    "inputs": (
        *("name", "kind", "dtype", "shape", "layout", "unit", "minimum", "maximum"),
        *("columns", "rate", "lookback", "horizon", "variables", "units", "step", "time_column", "series_column"),
    ),
    "target": ("name", "kind", "outputs", "classes", "unit", "variables", "units", "step"),
    "outputs": ("name", "dtype", "shape"),
}
"""Fields of schema.json that whoever calls a package relies on; all others are the model's own."""
_COLUMN = ("name", "source", "type", "part")
_FORM = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_LINE = re.compile(r"^(version:[ \t]*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s#]+)", re.MULTILINE)


class Level(IntEnum):
    """Which part of a version a change raises."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


@total_ordering
class Version:
    """A semantic version (semver.org 2.0.0); what follows a plus sign orders nothing.

    Raises:
        PackageError: the text is none.
    """

    def __init__(self, text: str) -> None:
        if (found := _FORM.fullmatch(text)) is None:
            raise PackageError(f"{text!r} is no semantic version", why="it is no MAJOR.MINOR.PATCH of plain numbers")
        self.text = text
        self.numbers = int(found[1]), int(found[2]), int(found[3])
        self.before: str | None = found[4]
        """What makes it a pre-release."""

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._order() == other._order()

    def __lt__(self, other: Self) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[Any, ...]:
        parts = self.before.split(".") if self.before else []
        ranks = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
        return (*self.numbers, not parts, ranks)

    def raised(self, level: Level) -> "Version":
        """The least version after this one that a change of that level asks for."""
        major, minor, patch = self.numbers
        if level is Level.NONE or self.before:
            return self
        numbers = {Level.MAJOR: (major + 1, 0, 0), Level.MINOR: (major, minor + 1, 0)}
        return Version(".".join(map(str, numbers.get(level, (major, minor, patch + 1)))))

    def suffices(self, last: "Version", level: Level) -> bool:
        """Whether this version may follow ``last`` after a change of that level; a pre-release may become anything."""
        return self > last and self.numbers >= last.raised(level).numbers


Content = dict[str, dict[str, str]]
"""Digests of what a package is made of: its ``interface``, its ``model`` and the ``rest``, by name."""

_LEVELS = {"interface": Level.MAJOR, "model": Level.MINOR, "rest": Level.PATCH}


def content_of(schema: Mapping[str, Any], manifest: Mapping[str, Any]) -> Content:
    """What versions are compared by.

    Args:
        schema: schema.json of a verified package.
        manifest: its manifest.
    """
    interface, own = _split(schema)
    digests = {name: str(entry["sha256"]) for name, entry in manifest["files"].items() if name != SCHEMA}
    answering = (MODEL, *(name for name in CODE if name in ("inputs.py", "answers.py")))
    model = {name: digests[name] for name in answering}
    rest = {name: digest for name, digest in digests.items() if name not in answering}
    return {
        "interface": {name: _digest(value) for name, value in interface.items()},
        "model": {**model, **{name: _digest(value) for name, value in own.items()}},
        "rest": rest,
    }


def compare(old: Content, new: Content) -> tuple[Level, list[str]]:
    """What changed from one package to another: the highest level, and what is different by name, gravest first."""
    level, names = Level.NONE, []
    for part, own in _LEVELS.items():
        before, after = old.get(part, {}), new.get(part, {})
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        if changed:
            level = max(level, own)
        names += changed
    return level, names


def write_version(root: Path, version: Version) -> None:
    """Put a version into params.yaml, and leave every other character of it as it is.

    Raises:
        ConfigError: params.yaml is missing, is no YAML, or its version does not stand on one line of its own.
    """
    before = read_params(root)
    path = root / "params.yaml"
    text, count = _LINE.subn(lambda found: found[1] + str(version), path.read_bytes().decode("utf-8"))
    if count != 1:
        raise ConfigError(
            "params.yaml has no line `version: ...` of its own", where=str(path), fix=f"write there: version: {version}"
        )
    path.write_bytes(text.encode("utf-8"))
    if read_params(root) != {**before, "version": str(version)}:
        raise ConfigError("params.yaml says something else now", where=str(path), fix="git checkout params.yaml")


def _split(schema: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields that others rely on, and those that are the model's own, by a dotted name."""
    interface, own = {}, {}
    for group, entries in (
        ("inputs", schema["inputs"]),
        ("target", [schema["target"]]),
        ("outputs", schema["outputs"]),
    ):
        for entry in entries:
            prefix = group if group == "target" else f"{group}.{entry['name']}"
            for field, value in entry.items():
                name = f"{prefix}.{field}"
                if field == "columns":
                    interface[name] = [{key: column.get(key) for key in _COLUMN} for column in value]
                    own[f"{name} as fitted"] = value
                elif field in INTERFACE[group]:
                    interface[name] = value
                else:
                    own[name] = value
    return interface, own


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
