"""Notice that the installed libraries are not those the stages were configured for."""

import importlib.metadata
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml


def environment_moved(root: Path) -> bool:
    """Whether a ``build/<stage>.yaml`` names a library version, or a Python, that is not the running one.

    DVC sees files only: after an upgrade it would call every stage up to date. A missing file counts as unmoved,
    since DVC writes it again by itself.
    """
    installed = cache(_installed)  # the stages share most of their libraries
    return any(_moved(file, installed) for file in sorted((root / "build").glob("*.yaml")))


def _moved(file: Path, installed: Callable[[str], str | None]) -> bool:
    entry = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    libraries = dict(entry.get("libraries", {})) if isinstance(entry, dict) else {}
    recorded = libraries.pop("python", None)
    return recorded != f"{sys.version_info.major}.{sys.version_info.minor}" or any(
        installed(name) != version for name, version in libraries.items()
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
