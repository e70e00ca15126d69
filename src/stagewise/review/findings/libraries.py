"""Libraries that are not pinned, or whose files are not those that were installed."""

import base64
import hashlib
import importlib.metadata
from functools import cache
from pathlib import Path

from stagewise.review.environment import installed, locked_libraries, normal, recorded_libraries
from stagewise.review.record import Finding


def unpinned(project: Path) -> list[Finding]:
    """Libraries that stages use and that requirements.lock does not pin, or pins to another version."""
    locked = locked_libraries(project)
    findings = []
    for name, version in sorted(recorded_libraries(project).items()):
        pin = locked.get(normal(name))
        if name == "python" or (pin and pin.partition("+")[0] == version.partition("+")[0]):
            continue
        what = f"{name} {version} computed the result, requirements.lock " + (
            f"pins {pin}" if pin else "does not pin it"
        )
        findings.append(
            Finding(code="unpinned-library", severity="warning", stage=None, what=what, where="requirements.lock",
                    fix="make lock, then commit requirements.lock")
        )  # fmt: skip
    return findings


def modified(project: Path) -> list[Finding]:
    """Libraries of the stages with installed files that are not those their own record lists."""
    findings = []
    for name in sorted(recorded_libraries(project).keys() - {"python"}):
        version = installed(name)
        if version and (changed := _changed_files(name)):
            findings.append(
                Finding(
                    code="modified-library",
                    severity="error",
                    stage=None,
                    where=changed[0],
                    what=f"{len(changed)} installed files of {name} are not those that were installed",
                    fix=f"pip install --force-reinstall --no-deps {name}=={version}",
                )
            )
    return findings


@cache
def _changed_files(name: str) -> list[str]:
    """Files whose SHA-256 is not the one that the installer noted."""
    return [str(file) for file in importlib.metadata.distribution(name).files or () if _changed(file)]


def _changed(file: importlib.metadata.PackagePath) -> bool:
    if file.hash is None or file.hash.mode != "sha256" or file.suffix == ".pyc":
        return False
    try:
        with Path(str(file.locate())).open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").digest()
    except OSError:
        return True
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value
