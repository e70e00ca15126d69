"""What tests of whole runs share: a quick run of the whole pipeline, and a look at what a workspace holds."""

import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from workspaces import QUICK_PARAMS, call, workspace


def fresh_workspace(root: Path) -> Path:
    """A workspace in which nothing has run, with a pipeline that takes seconds."""
    workspace(root)
    (root / "params.yaml").write_text(QUICK_PARAMS)
    (root / "dvc.lock").unlink()
    return root


def ran_workspace(factory: pytest.TempPathFactory) -> Path:
    """A workspace in which every stage has run once: made once for all processes of pytest, and only ever copied."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    root, done = shared / "ran" / "project", shared / "ran" / "done"
    with (shared / "ran.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not done.exists():
            call(fresh_workspace(root), "stagewise", "repro")
            done.touch()
    return root


def copy_of(ran: Path, root: Path) -> Path:
    """A copy that tests may break."""
    shutil.copytree(ran, root, symlinks=True)
    return root


def lock(root: Path) -> dict[str, Any]:
    file = root / "dvc.lock"
    return yaml.safe_load(file.read_text())["stages"] if file.is_file() else {}


def outputs(root: Path) -> dict[str, str]:
    """Path and MD5 of every recorded output."""
    return {out["path"]: out["md5"] for stage in lock(root).values() for out in stage["outs"]}


def md5(path: Path) -> str:
    """The MD5 of a file or, as DVC computes it, of a folder."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    entries = [{"md5": md5(file), "relpath": name} for name, file in sorted(files, key=lambda x: x[0].split("/"))]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"


def cached(root: Path, digest: str) -> Path:
    return root / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]


def stages_run(printed: str) -> list[str]:
    return [line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")]


def flip(file: Path) -> None:
    """Flip one bit and leave size, times and rights as they are: what a bad disk does."""
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    file.chmod(status.st_mode)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
