"""What stages opened and connected to while they ran, beside what they declare."""

import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stagewise.review.observe import HOOK, Observed
from stagewise.review.pipeline import PipelineStage, within
from stagewise.review.record import Finding
from stagewise.review.workspace import Workspace

_BOOKKEEPING = {"dvc.yaml", "dvc.lock", "reports/compression/latency.json"}
"""Read to notice an edit while a stage runs, or to take no time again; no input of its result."""
_BOOKKEEPING_FOLDERS = (".git", ".dvc", ".stagewise")
_CACHES = {"__pycache__"}
_PATH = re.compile(r"^\s*([^\s:]+/[^\s:]+): '?[0-9a-f]{16,64}'?$", re.MULTILINE)
"""A path with its digest, as the resolved files list code, named files and what a package ships."""
_FETCHED_FROM = {"urls", "mirror", "path"}
"""Keys of a source under which it names addresses; elsewhere an address is a citation or a licence."""
_ON_THIS_MACHINE = ("package://", "file://")
_METADATA = (".egg-info", ".dist-info")
"""By which Python tells which versions are installed."""
_SYSTEM = (
    "/proc",
    "/sys",
    "/dev",
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/run",
    "/var/cache",
    "/opt",
    "/.dockerenv",
)


def undeclared(stage: PipelineStage, observed: Observed, workspace: Workspace, allowed: list[Path]) -> list[Finding]:
    """Files that a stage read and does not declare: of the checkout, or from outside it.

    Args:
        stage: its dependencies, parameters and outputs are declared, and so is what build/<stage>.yaml names.
        observed: what was seen of it.
        workspace: where it ran.
        allowed: further folders it may read, such as a mirror of the raw data.
    """
    inside = _declared(stage, workspace.project)
    named = [Path(value).expanduser() for _, value in _values(stage, workspace.project) if "/" in value]
    places = [path for path in named if path.is_absolute() and len(path.parts) > 1]
    outside = [*_python(), workspace.folder, *allowed, *places, *map(Path, _SYSTEM)]
    findings = []
    for name in sorted(observed.opened):
        path = Path(name)
        if path.is_relative_to(workspace.project):
            place = path.relative_to(workspace.project).as_posix()
            wrong = path.is_file() and not _is_bookkeeping(place) and not any(within(place, item) for item in inside)
        else:
            place = name
            allowed_here = any(path.is_relative_to(folder) for folder in outside) or _is_metadata(path)
            wrong = path.is_file() and not allowed_here
        if wrong:
            findings.append(
                Finding(
                    code="undeclared-input", severity="error", stage=stage.name, where=place,
                    what="the stage read a file that it does not declare: a change of it would run nothing",
                    fix=f"name it under deps: of {stage.name} in dvc.yaml",
                )
            )  # fmt: skip
    return findings


def network(stage: PipelineStage, hosts: tuple[str, ...], project: Path) -> list[Finding]:
    """Connections of a stage whose config names no address to fetch from."""
    addresses = [value for key, value in _values(stage, project) if key in _FETCHED_FROM and "://" in value]
    if not hosts or any(not value.startswith(_ON_THIS_MACHINE) for value in addresses):
        return []
    return [
        Finding(
            code="network-use", severity="error", stage=stage.name, where=", ".join(hosts),
            what="the stage used the network, and its config names no address: what it got is part of no key",
            fix="fetch it in ingest, with a sha256 in conf/data/",
        )
    ]  # fmt: skip


def _declared(stage: PipelineStage, project: Path) -> set[str]:
    """Paths that dvc.yaml names, and those that build/<stage>.yaml names together with a digest."""
    named: set[str] = set()
    for file in stage.params:
        try:
            named |= set(_PATH.findall((project / file).read_text(encoding="utf-8")))
        except OSError:
            continue
    # A module without code, such as an empty __init__.py, has no digest; importing it reads it all the same.
    empty = {f"{parent.as_posix()}/__init__.py" for name in named for parent in Path(name).parents}
    return named | empty | {*stage.deps, *stage.params, *(out.path for out in stage.outs)}


def _is_bookkeeping(place: str) -> bool:
    parts = Path(place).parts
    return place in _BOOKKEEPING or parts[0] in _BOOKKEEPING_FOLDERS or any(part in _CACHES for part in parts)


def _is_metadata(path: Path) -> bool:
    return any(part.endswith(_METADATA) for part in path.parts)


def _python() -> list[Path]:
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values(), str(HOOK)}
    return [Path(path) for path in paths] + [Path(path).resolve() for path in paths]


def _values(stage: PipelineStage, project: Path) -> Iterator[tuple[str, str]]:
    """Every text of the stage's config, with the key it stands under."""
    for file in stage.params:
        try:
            entry = yaml.safe_load((project / file).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue
        yield from _texts(entry.get("config") if isinstance(entry, dict) else None, "")


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, str):
        yield key, value
