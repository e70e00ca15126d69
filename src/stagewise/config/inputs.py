"""The data that a stage depends on, fingerprinted to notice an edit while the stage runs.

DVC hashes a dependency after the stage has run; an input edited in between would be recorded as what the stage
had read (https://github.com/iterative/dvc/issues/11058).
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

Fingerprint = dict[str, tuple[int, int, int]]
"""Per file: size, time of the last change in nanoseconds, inode."""


def fingerprint_inputs(root: Path, stage: str) -> Fingerprint:
    """Fingerprint every file that dvc.yaml names as a dependency of ``stage``, below folders too.

    Size, time and inode are what DVC's own state file goes by; reading the content again would double the cost of
    a stage on large data.
    """
    return {
        file.relative_to(root).as_posix(): (status.st_size, status.st_mtime_ns, status.st_ino)
        for path in dependencies(root, stage)
        for file in _files(root / path)
        for status in [file.stat()]
    }


def moved_inputs(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Return one line per file that changed, appeared or went."""
    names = sorted(before.keys() | after.keys())
    verbs = {name: _verb(name in before, name in after) for name in names if before.get(name) != after.get(name)}
    return [f"{name} {verb}" for name, verb in verbs.items()]


def dependencies(root: Path, stage: str) -> list[str]:
    """Return the paths that dvc.yaml names as dependencies of a stage."""
    file = root / "dvc.yaml"
    stages = (yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}).get("stages", {})
    return [str(dependency) for dependency in stages.get(stage, {}).get("deps", [])]


def _verb(before: bool, after: bool) -> str:
    if before and after:
        return "changed"
    return "appeared" if after else "went"


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())
    elif path.is_file():
        yield path
