"""What earlier runs of the stage made, by the key of all that entered it: a candidate is made and measured once."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from stagewise.config.digests import file_sha256

log = logging.getLogger(__name__)

KEPT = 200
"""Entries that stay when the shelf is tidied: those used last."""

_DIGESTS = "digests.json"


class Shelf:
    """A folder of entries, each a few files under the key of all that they follow from.

    What is taken from it is what would be made again, byte for byte, so that no result depends on whether it was
    there. An entry appears whole or not at all, and is used only if every file has the digest that was recorded.

    Args:
        folder: outside the outputs of the stage.
        fingerprint: digest of the code and libraries behind modules and classes, by dotted name.
    """

    def __init__(self, folder: Path, fingerprint: Callable[[Iterable[str]], str]) -> None:
        self._folder = folder
        self.fingerprint = fingerprint

    def find(self, key: str) -> Path | None:
        """The folder of an entry, or None; a damaged one is removed and named in the log."""
        entry = self._folder / key
        if not entry.is_dir():
            return None
        try:
            digests = json.loads((entry / _DIGESTS).read_text(encoding="utf-8"))
            whole = all(file_sha256(entry / name) == digest for name, digest in digests.items())
        except (OSError, ValueError, AttributeError):
            whole = False
        if not whole:
            log.warning("a kept candidate is damaged and will be made again: %s", entry)
            shutil.rmtree(entry, ignore_errors=True)
            return None
        os.utime(entry)
        return entry

    def keep(self, key: str, files: Mapping[str, bytes]) -> Path:
        """Put files under a key, and return their folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        entry, new = self._folder / key, Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        try:
            for name, content in files.items():
                (new / name).write_bytes(content)
            digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            (new / _DIGESTS).write_text(json.dumps(digests), encoding="utf-8")
            shutil.rmtree(entry, ignore_errors=True)
            new.replace(entry)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        return entry

    def tidy(self) -> None:
        """Remove the entries that were not used for longest, and what a killed run left half-written."""
        if not self._folder.is_dir():
            return
        entries = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        whole = [path for path in entries if not path.name.startswith("new-")]
        for path in {*entries} - {*whole[:KEPT]}:
            shutil.rmtree(path, ignore_errors=True)


def key_of(*parts: Any) -> str:
    """Digest of JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
