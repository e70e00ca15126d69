"""The records of releases: releases/<name>-<version>/release.json, in git, outside of what DVC tracks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stagewise.errors import PackageError, SignatureError
from stagewise.packaging.trust.versions import Content, Version
from stagewise.signing.strict_json import parse_strictly, read_bounded

FOLDER = "releases"
FILE = "release.json"
STATEMENT = "release.intoto.json"
MODEL_SIGNATURE = "model.sig"

_BYTES = 16 * 1024**2
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Package(_Record):
    """Which package it is."""

    path: str
    """Of its folder in the project, as dvc.lock has it."""
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}\.dir$")]
    """Of the folder, as dvc.lock has it."""
    manifest: _Digest
    """SHA-256 of its manifest.json, which has those of all other files."""


class Release(_Record):
    """A package, and the commit that it comes from. It holds no time, so the same release gives the same bytes."""

    format: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$")]
    version: str
    revision: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
    """The commit whose dvc.lock records the package."""
    tag: str
    """What the commit is called by ``stagewise release --tag``; DVC looks for it."""
    package: Package
    dvc_lock: _Digest
    """SHA-256 of dvc.lock at that commit."""
    params: _Digest
    """The same of params.yaml."""
    stage_keys: dict[str, str]
    """Digest of all that entered each stage."""
    content: Content
    """What the next version is compared by."""
    candidate: str
    """Which one compress chose."""
    model_bytes: int
    metrics: dict[str, float]
    """Figures of the test split, at that commit."""


def folder_of(root: Path, name: str, version: str) -> Path:
    """Where a release is recorded."""
    return root / FOLDER / f"{name}-{version}"


def to_json(release: Release) -> bytes:
    """The text of release.json."""
    text = json.dumps(release.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def read_release(folder: Path) -> Release | None:
    """The record in a folder; None where there is none.

    Raises:
        PackageError: it is damaged.
    """
    path = folder / FILE
    if not path.exists() and not path.is_symlink():
        return None
    try:
        record = Release.model_validate(parse_strictly(read_bounded(path, _BYTES, follow=False), str(path)))
        Version(record.version)
    except (ValidationError, SignatureError, PackageError) as error:
        reason = error.errors()[0] if isinstance(error, ValidationError) else None
        why = f"{'.'.join(map(str, reason['loc']))}: {reason['msg']}" if reason else str(error).splitlines()[0]
        raise PackageError(
            "the record of a release is damaged", where=str(path), why=why[:200], fix=f"git checkout {FOLDER}"
        ) from error
    return record


def releases(root: Path, name: str) -> list[Release]:
    """All releases of a name, the highest version first.

    Raises:
        PackageError: a record is damaged.
    """
    found = [record for record in _all(root) if record.name == name]
    return sorted(found, key=lambda record: Version(record.version), reverse=True)


def _all(root: Path) -> Iterator[Release]:
    for path in sorted((root / FOLDER).glob(f"*/{FILE}")):
        if (record := read_release(path.parent)) is not None:
            yield record
