"""What stages opened and connected to while they ran, beside what they declare."""

import re
import sys
import sysconfig
import tempfile
from pathlib import Path

from stagewise.review.observe import HOOK, Observed
from stagewise.review.pipeline import PipelineStage, within
from stagewise.review.record import Finding
from stagewise.review.workspace import Workspace

_BOOKKEEPING = {"dvc.yaml", "dvc.lock"}
"""Read to notice an edit while a stage runs; no input of its result."""
_BOOKKEEPING_FOLDERS = (".git", ".dvc", ".stagewise")
_CACHES = {"__pycache__"}
_PATH = re.compile(r"^\s*([^\s:]+/[^\s:]+): '?[0-9a-f]{16,64}'?$", re.MULTILINE)
"""A path with its digest, as the resolved files list code, named files and what a package ships."""
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
    outside = [*_python(), Path(tempfile.gettempdir()), workspace.folder, *allowed, *map(Path, _SYSTEM)]
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


def network(stage: PipelineStage, hosts: set[str], project: Path) -> list[Finding]:
    """Connections of a stage whose config names no address to fetch from."""
    if not hosts or "://" in _text(project, stage):
        return []
    return [
        Finding(
            code="network-use", severity="error", stage=stage.name, where=", ".join(sorted(hosts)),
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


def _text(project: Path, stage: PipelineStage) -> str:
    files = [project / name for name in stage.params]
    return "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
