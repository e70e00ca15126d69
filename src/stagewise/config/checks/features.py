"""What a feature says of itself in its class body, read without importing it."""

from pathlib import Path

from stagewise.config.checks.sources import class_constant

PARTS = {
    "kind": "the kind of input, as schema.json names it",
    "gives": "what a network must take",
    "inputs": "the module between the stored rows and the network",
    "runtime": "the module that a package ships to read inputs",
}
"""The class attributes that a feature must have, each a text, and what they say."""

DEFAULTS = {
    "rows": "stagewise.data.rows.StoredRows",
    "display": "stagewise.report.displays.display.NumbersDisplay",
}
"""The class attributes that a feature may have: what reads the split files, and what shows a row to a person."""


def feature_parts(target: str, root: Path) -> dict[str, str]:
    """Return the class attributes of a feature by name; those of ``PARTS`` that it does not have are missing."""
    parts = {name: class_constant(target, name, root) for name in (*PARTS, *DEFAULTS)}
    return {**DEFAULTS, **{name: value for name, value in parts.items() if isinstance(value, str)}}
