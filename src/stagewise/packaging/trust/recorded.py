"""What git and DVC record of a package."""

import json
from collections.abc import Mapping
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import yaml

from stagewise.config.git import git, git_bytes
from stagewise.errors import PackageError
from stagewise.packaging.integrity import MANIFEST, read_plain

LOCK = "dvc.lock"


def directory_md5(folder: Path, manifest: Mapping[str, Any]) -> str:
    """The digest by which dvc.lock names the folder of a verified package: that of the list of its files' MD5s.

    MD5 is what DVC uses. It tells one honest package from another; that nobody made two with the same one is what the
    SHA-256s of manifest.json say, and that of the manifest in a release.

    The list is written as ``Tree.as_bytes`` of dvc-data does, so that a package is verified without DVC.
    """
    sizes = {name: int(entry["bytes"]) for name, entry in manifest["files"].items()}
    sizes[MANIFEST] = (folder / MANIFEST).stat().st_size
    files = [{"md5": _md5(read_plain(folder / name, sizes[name])), "relpath": name} for name in sorted(sizes)]
    return _md5(json.dumps(files).encode()) + ".dir"


def _md5(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()


def is_repository(root: Path) -> bool:
    """Whether ``root`` lies in a git repository that has a commit."""
    return git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") is not None


def file_at(root: Path, commit: str, name: str) -> bytes:
    """The content of a file of the project at ``root``, as a commit holds it.

    Raises:
        PackageError: the commit holds no such file.
    """
    content = git_bytes(root, "show", f"{commit}:./{name}")
    if content is None:
        raise PackageError(f"the commit {commit[:12]} holds no {name}", where=str(root), fix="git log -- " + name)
    return content


def file_digest_at(root: Path, commit: str, name: str) -> str:
    """SHA-256 of a file as a commit holds it.

    Raises:
        PackageError: the commit holds no such file.
    """
    return sha256(file_at(root, commit, name)).hexdigest()


def recorded_md5(root: Path, commit: str, path: str) -> str | None:
    """The digest that dvc.lock of a commit has for the output ``path``; None where it has none.

    Raises:
        PackageError: the commit holds no dvc.lock, or a damaged one.
    """
    for stage in _stages(root, commit).values():
        for out in stage.get("outs", []):
            if out.get("path") == path:
                return str(out.get("md5"))
    return None


def stage_keys_at(root: Path, commit: str, stages: Mapping[str, str]) -> dict[str, str]:
    """The keys that build/<stage>.yaml of a commit has for these stages.

    Raises:
        PackageError: the commit lacks such a file, or it is damaged.
    """
    return {stage: _key(root, commit, f"build/{stage}.yaml") for stage in stages}


def _key(root: Path, commit: str, name: str) -> str:
    try:
        return str(yaml.safe_load(file_at(root, commit, name))["key"])
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise PackageError(f"{name} of the commit {commit[:12]} is damaged", why=str(error), fix="dvc repro") from error


def _stages(root: Path, commit: str) -> dict[str, Any]:
    try:
        stages: dict[str, Any] = yaml.safe_load(file_at(root, commit, LOCK))["stages"]
        if not all(isinstance(stage, dict) for stage in stages.values()):
            raise TypeError("a stage is no mapping")
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise PackageError(f"{LOCK} of the commit {commit[:12]} is damaged", why=str(error), fix="dvc repro") from error
    return stages
