"""The list of a package's files, by which its predictor tells whether it is whole."""

import json
from pathlib import Path

from stagewise.config.digests import file_sha256
from stagewise.packaging.predictor import FORMAT, MANIFEST


def write_manifest(folder: Path, name: str, version: str, stage_keys: dict[str, str]) -> None:
    """Write manifest.json: size and SHA-256 of every other file below ``folder``, and the keys of the stages.

    Args:
        folder: the package, complete but for its manifest.
        name: of the package.
        version: of the package.
        stage_keys: digest of all that entered each stage; it stands for the revision, which an
            output cannot know, since it becomes part of it.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "files": {path.relative_to(folder).as_posix(): _entry(path) for path in paths},
        "stage_keys": dict(sorted(stage_keys.items())),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _entry(path: Path) -> dict[str, str | int]:
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
