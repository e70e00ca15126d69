"""Digests as the key of a stage writes them."""

import hashlib
from pathlib import Path

LENGTH = 16
"""Hexadecimal characters kept of each SHA-256 (64 bits: enough to see a change, short enough to read)."""


def digest_bytes(content: bytes) -> str:
    """Return the digest of ``content``."""
    return hashlib.sha256(content).hexdigest()[:LENGTH]


def file_sha256(path: Path) -> str:
    """Return the whole SHA-256 of a file in hexadecimal; it is read block by block."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_path(path: Path) -> str:
    """Return the digest of a file, or of a folder's files with their names; "absent" where there is neither."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = [f"{file.relative_to(path).as_posix()} {digest_path(file)}" for file in files]
        return digest_bytes("\n".join(lines).encode())
    if not path.is_file():
        return "absent"
    return file_sha256(path)[:LENGTH]
