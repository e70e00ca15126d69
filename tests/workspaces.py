"""Temporary copies of the project, in which tests run the real commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

PARAMS = """\
# The default experiment, spelt out, so that tests have words and values to edit.
name: my-model
version: 0.1.0
seed: 0
threads: 2

data: digits
augment: light
model: cnn
optimizer: {use: adamw, lr: 0.005}
scheduler: one_cycle
trainer: {use: default}
compress: {use: int8, max_drop: 0.02}
"""

QUICK_PARAMS = """\
name: my-model
version: 0.1.0
seed: 0
threads: 1
data: digits
augment: none
model: {use: mlp, hidden: [16]}
optimizer: {use: adamw, lr: 0.005}
trainer: {use: default, max_epochs: 1, loggers: []}
evaluate: {use: default, resamples: 10}
compress: {use: fp32, latency: {repeats: 1}}
"""
"""A pipeline whose stages take no longer than their imports."""


def workspace(root: Path) -> Path:
    """Copy the project's files as git sees them into ``root``, as a git repository of its own with an empty cache."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    call(root, "git", "init", "--quiet")
    call(root, "git", "add", "--all")
    call(root, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "start")
    return root


def call(root: Path, *command: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a workspace with this Python first on the PATH, and check its exit code."""
    done = subprocess.run(
        command,
        cwd=root,
        env={**variables(root), **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == code, f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def variables(root: Path) -> dict[str, str]:
    """The environment of commands in a workspace."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(root / "src"),
        **{f"GIT_{role}_{what}": "test@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "DVC_SITE_CACHE_DIR": str(root.parent / f"{root.name}-site"),
    }
