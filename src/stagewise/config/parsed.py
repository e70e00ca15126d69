"""Remembers what was computed from a file's content, between processes, so that only new content is parsed."""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

CACHE = Path(".stagewise/cache/modules.json")
"""A cache only: it may be deleted at any time."""

_MOST = 5000
"""Entries that are kept before the file starts afresh."""

Parsed = list[str]


class ParsedFiles:
    """A mapping from content to what was computed from it, kept in a file of the project at ``root``.

    The key is a digest of the content itself, never of a file's time, so that an entry cannot be out of date.
    """

    def __init__(self, root: Path, version: str) -> None:
        """Read what earlier processes computed; ``version`` names the computation."""
        self._file = root / CACHE
        self._version = f"{version} {sys.version_info.major}.{sys.version_info.minor}"
        self._entries = self._read()
        self._changed = False

    def get(self, content: bytes, place: str, compute: Callable[[], Parsed]) -> Parsed:
        """Return what ``compute`` gives for ``content``; ``place`` is what it depends on beside the content."""
        key = hashlib.sha256(f"{self._version} {place}\0".encode() + content).hexdigest()[:32]
        if key not in self._entries:
            self._entries[key] = compute()
            self._changed = True
        return self._entries[key]

    def save(self) -> None:
        """Write new entries, if any; a folder that cannot be written costs time later and nothing else."""
        if not self._changed:
            return
        self._changed = False
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self._entries), encoding="utf-8")
            temporary.replace(self._file)

    def _read(self) -> dict[str, Parsed]:
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        usable = isinstance(entries, dict) and len(entries) < _MOST
        return {key: value for key, value in entries.items() if _is_parsed(value)} if usable else {}


def _is_parsed(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
