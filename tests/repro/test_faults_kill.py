"""SIGKILL of a run at random moments, begun again each time: of ``dvc repro`` and of ``stagewise repro`` in turn.

Their stages are started by a shell that gives its place to the command, and by one that stands in between.
Every other kill hits DVC's process alone, whose stage must die by itself; the others hit the whole process group.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from runs import copy_of, fresh_workspace, lock, md5, outputs
from workspaces import call

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

OUTPUTS = ("data/raw", "data/processed", "models", "reports", "dist", "dvc.lock")


def start(root: Path, command: str, shell: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "SHELL": shell,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(root / "src"),
        "DVC_SITE_CACHE_DIR": str(root.parent / f"{root.name}-site"),
    }
    with printed(root).open("wb") as file:
        return subprocess.Popen(
            [command, "repro"], cwd=root, env=environment, stdout=file, stderr=file, start_new_session=True
        )


def printed(root: Path) -> Path:
    return root.parent / "printed.txt"


def processes(root: Path) -> Iterator[str]:
    """The command of each living process that works in ``root``."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink().is_relative_to(root):
                    yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has ended, or is a zombie
                continue


def wait_until_alone(root: Path) -> None:
    for _ in range(600):
        if not list(processes(root)):
            return
        time.sleep(0.05)
    raise AssertionError(f"orphans: {list(processes(root))}")


def files(root: Path) -> dict[str, tuple[int, int]]:
    found = (file for out in OUTPUTS for file in (root / out, *(root / out).rglob("*")) if file.exists())
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in found}


def check(root: Path, command: str) -> int:
    """Check what a killed run left, and return how many outputs it recorded."""
    before = files(root)
    try:
        recorded = outputs(root)
    except (yaml.YAMLError, TypeError, KeyError):  # DVC writes dvc.lock in place; `stagewise repro` renames it
        assert command == "dvc"
        recorded = {}
    for path, digest in recorded.items():
        assert md5(root / path) == digest, f"{path} is not what dvc.lock says"
    wait_until_alone(root)
    assert files(root) == before, "an orphan went on writing"
    return len(recorded)


def went_well(root: Path, command: str, code: int) -> bool:
    """Whether a run that nobody killed did; DVC alone may stumble over what it left when it was killed."""
    text = printed(root).read_text()
    own = ("not 'NoneType'", "dvc.lock", "RWLock")  # its run-cache, its record, its locks: each written in place
    assert code == 0 or (command == "dvc" and any(word in text for word in own)), text
    return code == 0


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.long)])
def test_kills_leave_nothing_half_done(kills: int, tmp_path: Path) -> None:
    root = fresh_workspace(tmp_path / "project")
    twin = copy_of(root, tmp_path / "undisturbed")
    began = time.monotonic()
    call(twin, "dvc", "repro")
    whole, undisturbed = time.monotonic() - began, lock(twin)
    moments = random.Random(17)
    progress = []
    for number in range(kills):
        command = ("dvc", "dvc", "stagewise")[number % 3]
        run = start(root, command, ("/bin/sh", "/bin/bash")[number // 2 % 2])
        # Some runs get beyond the longest stage, so that kills fall into each of them, on any machine.
        time.sleep(whole * (moments.uniform(0.4, 0.7) if number % 5 == 2 else moments.uniform(0.02, 0.2)))
        over = run.poll() is not None and went_well(root, command, run.returncode)
        if run.poll() is None:
            (os.killpg if number % 2 else os.kill)(run.pid, signal.SIGKILL)
            run.wait()
        if number % 5:  # else the next run starts at once, beside what may still be dying
            progress.append(check(root, command))
        if over:  # it got to its end: all begins anew, from the cache and, the next time, from nothing
            wait_until_alone(root)
            (root / "dvc.lock").unlink()
            if number % 2:
                shutil.rmtree(root / ".dvc" / "cache")
    assert len(set(progress)) >= min(1 + kills // 5, 3), progress  # the kills fell into several stages
    call(root, "stagewise", "repro")
    check(root, "stagewise")
    assert lock(root) == undisturbed
    assert not list((root / ".stagewise" / "staging").iterdir())
