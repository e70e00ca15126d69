"""Notice that libraries, or files that a config names, are not those the stages were configured for."""

import importlib.metadata
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

from stagewise.config.digests import digest_path


def environment_moved(root: Path) -> bool:
    """Whether a ``build/<stage>.yaml`` names a library version, a Python or a file's content that is another one now.

    DVC sees the files of dvc.yaml only: after an upgrade it would call every stage up to date. A missing
    ``build/<stage>.yaml`` counts as unmoved, since DVC writes it again by itself.
    """
    installed = cache(_installed)  # the stages share most of their libraries
    return any(_moved(file, installed, root) for file in sorted((root / "build").glob("*.yaml")))


def _moved(file: Path, installed: Callable[[str], str | None], root: Path) -> bool:
    loaded = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    entry = loaded if isinstance(loaded, dict) else {}
    libraries = dict(entry.get("libraries", {}))
    return (
        libraries.pop("python", None) != f"{sys.version_info.major}.{sys.version_info.minor}"
        or any(installed(name) != version for name, version in libraries.items())
        or any(digest_path(root / path) != digest for path, digest in entry.get("files", {}).items())
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
