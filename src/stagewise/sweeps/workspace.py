"""A clone per trial, beside the user's working tree, sharing its objects and its DVC cache."""

import os
import shutil
import sys
from pathlib import Path

import yaml

from stagewise.config.git import git, run_git
from stagewise.config.origins import groups_of
from stagewise.config.params import apply_overrides, read_params


def make_workspace(root: Path, head: str, snapshot: str, cache: Path, folder: Path) -> Path:
    """Clone the project at ``root`` into ``folder`` and return the project's folder therein.

    HEAD of the clone is ``head``, so that a DVC experiment made there belongs to it; its files are those of
    ``snapshot``. Git objects and DVC's cache are shared.

    Raises:
        ConfigError: git refuses.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    top, prefix = (git(root, "rev-parse", f"--show-{name}") or "" for name in ("toplevel", "prefix"))
    run_git(root, "clone", "--quiet", "--shared", "--no-checkout", top.strip(), str(folder))
    run_git(folder, "checkout", "--quiet", "--detach", head)
    if snapshot != head:
        run_git(folder, "read-tree", "--reset", "-u", snapshot)
    for name, value in (("name", "stagewise"), ("email", "stagewise@localhost")):
        run_git(folder, "config", f"user.{name}", (git(root, "config", f"user.{name}") or "").strip() or value)
    project = folder / prefix.strip()
    (project / ".dvc").mkdir(exist_ok=True)
    lines = ["[cache]", f"    dir = {cache}", "[core]", "    analytics = false"]
    (project / ".dvc/config.local").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return project


def choose(project: Path, overrides: list[str]) -> None:
    """Lay a trial's overrides over the workspace's params.yaml."""
    params = apply_overrides(read_params(project), overrides, groups_of(project))
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True), encoding="utf-8")


def environment(project: Path, device: str | None) -> dict[str, str]:
    """Variables for a trial's process: the workspace's sources, this Python, and the GPU it may use."""
    variables = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(project / "src"),
    }
    return variables if device is None else {**variables, "CUDA_VISIBLE_DEVICES": device}
