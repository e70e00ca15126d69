"""What the page has to know of a package to ask for its inputs: their form, examples, and how many go at once."""

import base64
from typing import Any

from stagewise.packaging import integrity
from stagewise.serving.models import Package
from stagewise.serving.options import Limits

MOST_EXAMPLES = 8
MOST_BYTES = 2 * 1024**2
"""Of all examples together."""

_FEATURE = (
    "name", "dtype", "shape", "mean", "maximum", "rate", "lookback", "variables", "units", "step", "time_column",
    "max_length",
)  # fmt: skip
_COLUMN = ("source", "type", "part", "unit", "categories", "counts", "minimum", "maximum", "median")
_TARGET = ("name", "kind", "unit", "classes", "variables", "units", "step", "outputs")
_TEXTS = (".txt", ".csv", ".json")


def about(package: Package, limits: Limits) -> dict[str, Any]:
    """For the page, as JSON.

    Returns:
        ``kind`` of the input (``image``, ``text``, ``table``, ``sound`` or ``series``); ``feature`` and ``target``, of
        their entries in schema.json what a form needs; ``request``, its schema; ``examples``, each with ``name`` and
        ``text`` or ``base64``; and ``most``, the inputs and bytes that one request may hold.
    """
    return {
        "name": package.name,
        "version": package.version,
        "kind": package.runtime["inputs"].rpartition(".")[2],
        "feature": {
            **_some(package.feature, _FEATURE),
            "columns": [_some(column, _COLUMN) for column in package.feature.get("columns", [])],
        },
        "target": _some(package.schema["target"], _TARGET),
        "request": package.request,
        "examples": _examples(package),
        "most": {"inputs": limits.inputs, "bytes": limits.body_bytes},
    }


def _some(entry: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: entry[name] for name in names if entry.get(name) is not None}


def _examples(package: Package) -> list[dict[str, str]]:
    """The first examples, as they were when the package was loaded: one that was changed since is left out."""
    found: list[dict[str, str]] = []
    prefix, left = f"{integrity.EXAMPLES}/", MOST_BYTES
    for path in sorted(package.manifest["files"]):
        if not path.startswith(prefix) or path == f"{prefix}{integrity.EXPECTED}" or len(found) == MOST_EXAMPLES:
            continue
        try:
            content = integrity.read_listed(package.path.resolve(), package.manifest, path)
        except integrity.PredictorError:
            continue
        left -= len(content)
        if left >= 0:
            found.append({"name": path.removeprefix(prefix), **_written(path, content)})
    return found


def _written(path: str, content: bytes) -> dict[str, str]:
    if path.endswith(_TEXTS):
        return {"text": content.decode("utf-8", "replace")}
    return {"base64": base64.b64encode(content).decode("ascii")}
