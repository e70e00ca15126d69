"""Ask DVC's run-cache, without touching the workspace, whether a stage has run with these inputs before."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils import dict_sha256
from dvc.utils.serialize import load_yaml

Hashes = dict[str, str]


def recorded_outputs(stage: Any) -> Hashes | None:
    """Return ``{path: md5}`` of the outputs in dvc.lock; None where one was never recorded."""
    hashes = {out.def_path: out.hash_info.value for out in stage.outs}
    return hashes if all(hashes.values()) else None


def remembered_outputs(stage: Any) -> Hashes | None:
    """Return ``{path: md5}`` of the outputs that an earlier run with the same inputs left; None if there was none.

    ``stage`` is a DVC stage whose dependencies hold the hashes and values to look for.
    """
    entry = to_single_stage_lockfile(stage)
    entry["outs"] = [out["path"] for out in entry["outs"]]
    key = dict_sha256(entry, exclude=["size", "nfiles"])
    folder = Path(stage.repo.stage_cache.cache_dir) / key[:2] / key
    runs = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime) if folder.is_dir() else []
    if not runs:
        return None
    return {out["path"]: out["md5"] for out in load_yaml(str(runs[-1]))["outs"]}


def all_cached(repo: Any, hashes: Iterable[str]) -> bool:
    """Whether the cache holds every object: files, and folders with all their files."""
    for digest in hashes:
        if not _object(repo, digest).is_file():
            return False
        if digest.endswith(".dir") and not all_cached(repo, folder_files(repo, digest).values()):
            return False
    return True


def folder_files(repo: Any, digest: str) -> Hashes:
    """Return ``{path within the folder: md5}`` of a folder in the cache."""
    return {file["relpath"]: file["md5"] for file in json.loads(_object(repo, digest).read_text(encoding="utf-8"))}


def _object(repo: Any, digest: str) -> Path:
    return Path(repo.cache.local.oid_to_path(digest))
