"""The files of a package that is complete, as its manifest lists them."""

import json
from pathlib import Path
from typing import Any

from stagewise.errors import PackageError
from stagewise.packaging.predictor import MANIFEST


def read_manifest(package: Path) -> dict[str, Any]:
    """manifest.json of a package; whether it is true is not looked at.

    Raises:
        PackageError: there is none.
    """
    try:
        manifest: dict[str, Any] = json.loads((package / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackageError("this is no package", where=str(package / MANIFEST), why=str(error)) from error
    return manifest


def listed_files(package: Path) -> dict[str, Path]:
    """Every file that the manifest lists, and the manifest, by name in the order of the names.

    Raises:
        PackageError: there is no manifest.
    """
    names = sorted([*read_manifest(package)["files"], MANIFEST])
    return {name: package / name for name in names}
