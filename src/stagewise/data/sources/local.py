"""The user's own data: a folder, a file or an archive that lies on this machine."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stagewise.config.digests import file_sha256
from stagewise.config.schema.data import Limits
from stagewise.data.sources.archives import archive_stem, extract
from stagewise.data.sources.files import copy_file, is_clutter, require_room
from stagewise.errors import SourceError

log = logging.getLogger(__name__)

WATCHED = Path("data/own")
"""Where DVC notices changes: a dependency of the ingest stage."""


def bring(path: str, out: Path, limits: Limits) -> dict[str, Any]:
    """Copy a folder to ``out/<name>/`` or a file to ``out/<name>``, or unpack an archive to ``out/<stem>/``.

    Returns:
        The entry of ingest.json: name, bytes, sha256, and the number of files.

    Raises:
        SourceError: there is nothing at ``path``, or a link in it leads elsewhere.
        ArchiveError: the archive must not be unpacked.
    """
    source = Path(path).expanduser()
    if not source.exists():
        raise SourceError(
            f"there is nothing at {path}",
            where="data.source.path",
            fix="put your data there, or correct the path (it is relative to the project root)",
        )
    if not source.resolve().is_relative_to(WATCHED.resolve()):
        log.warning(
            "%s lies outside %s/, which DVC watches: after a change, run dvc repro --force ingest", path, WATCHED
        )
    name = source.resolve().name if source.name in {"", ".."} else source.name
    if source.is_dir():
        return {"name": name, "urls": []} | _copy_folder(source.resolve(), out / name)
    entry: dict[str, Any] = {"name": name, "urls": [], "bytes": source.stat().st_size, "sha256": file_sha256(source)}
    if stem := archive_stem(name):
        extracted = extract(source, out / stem, limits)
        return entry | {"extracted": {"folder": stem, "files": extracted.files, "bytes": extracted.bytes}}
    require_room(out, source.stat().st_size, name)
    copy_file(source, out / name)
    return entry | {"files": 1}


def _copy_folder(source: Path, target: Path) -> dict[str, Any]:
    """Copy the regular files of a folder, in the order of their names; hidden and desktop files are left out."""
    if target.parent.resolve().is_relative_to(source):
        raise SourceError(f"{source.name} holds the folder it would be copied to", where="data.source.path")
    files = dict(_files(source))
    total = sum(path.stat().st_size for path in files.values())
    if not files:
        raise SourceError(
            f"the folder {source.name} holds no files",
            where="data.source.path",
            fix="put your data there, or correct the path (it is relative to the project root)",
        )
    require_room(target.parent, total, source.name)
    tree = hashlib.sha256()
    for name in sorted(files):
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy_file(files[name], copy)
        tree.update(f"{json.dumps(name)} {file_sha256(copy)}\n".encode())
    return {"files": len(files), "bytes": total, "sha256": tree.hexdigest()}


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Each file below ``root``: its relative name, and the regular file behind it, which lies below ``root`` too."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not is_clutter(name))
        for path in (Path(folder, name) for name in [*names, *sorted(files)] if not is_clutter(name)):
            if path.is_symlink():
                _refuse_link_out(path, root)
            elif path.is_dir():
                continue
            if not path.is_file():
                what = "is a link to a folder" if path.is_dir() else "is not a regular file"
                raise SourceError(f"{path.name} {what}", where=str(path), fix="remove it, or put a copy in its place")
            yield path.relative_to(root).as_posix(), path.resolve()


def _refuse_link_out(path: Path, root: Path) -> None:
    real = path.resolve()
    if not real.is_relative_to(root):
        raise SourceError(
            f"the link {path.name} leads out of {root.name}",
            where=str(path),
            why=f"it points to {real}",
            fix="put a copy of what it points to in its place",
        )
