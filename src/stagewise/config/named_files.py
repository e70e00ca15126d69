"""Files and folders of one's own that a config names, such as weights to start from: their content enters the key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stagewise.config.digests import digest_path
from stagewise.config.inputs import dependencies


def named_files(stage: str, config: Any, root: Path) -> dict[str, str]:
    """Return ``{path: digest}`` of every value of ``config`` that is the path of a file or folder, sorted.

    A path has a slash in it, so that no plain word is taken for one. What dvc.yaml names as a dependency of the stage
    is left to DVC.
    """
    paths = sorted({text for text in _texts(config) if _is_path(text, root)})
    known = dependencies(root, stage) if paths else []
    return {path: digest_path(root / path) for path in paths if not any(Path(path).is_relative_to(k) for k in known)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)


def _is_path(text: str, root: Path) -> bool:
    try:
        return "/" in text and (root / text).exists()
    except (OSError, ValueError):  # too long for a name, or a zero byte in it
        return False
