"""A fresh checkout of a revision with an empty cache of its own, and the environment its commands run in."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from stagewise.config.git import git, run_git
from stagewise.errors import ReviewError

_HIDDEN = ("DVC_", "HF_", "TORCH_HOME", "XDG_", "GIT_", "PYTHONPATH", "PYTHONSTARTUP")
"""Variables that would lead a stage to what this user has and the revision does not."""


@dataclass(frozen=True)
class Workspace:
    """A checkout in a private folder.

    Attributes:
        folder: holds the checkout, its cache and a home, all of them fresh.
        project: the folder of dvc.yaml within the checkout.
    """

    folder: Path
    project: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Variables for the revision's commands: its own sources, this Python, a home with nothing in it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN)}
        return {
            **kept,
            "HOME": str(self.folder / "home"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "PYTHONPATH": str(self.project / "src"),
            "DVC_SITE_CACHE_DIR": str(self.folder / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(self.folder / "home"),
            "DVC_SYSTEM_CONFIG_DIR": str(self.folder / "home"),
            **more,
        }


def check_out(root: Path, commit: str, folder: Path) -> Workspace:
    """Clone the repository around ``root`` into ``folder`` at ``commit``, with an empty cache and no run-cache.

    Raises:
        ReviewError: ``root`` lies in no git repository, or the revision has no pipeline.
        ConfigError: git cannot check the commit out.
    """
    top, prefix = git(root, "rev-parse", "--show-toplevel"), git(root, "rev-parse", "--show-prefix")
    if top is None or prefix is None:
        raise ReviewError("this is no git repository", where=str(root), fix="run the command in a clone of the project")
    for name in ("home", "cache"):
        (folder / name).mkdir(parents=True)
    clone = folder / "checkout"
    run_git(folder, "clone", "--quiet", "--no-checkout", "--no-hardlinks", top.strip(), str(clone))
    run_git(clone, "checkout", "--quiet", "--detach", commit)
    workspace = Workspace(folder, clone / prefix.strip())
    if not (workspace.project / "dvc.yaml").is_file():
        raise ReviewError("the revision has no dvc.yaml", where=commit, fix="review a revision that has a pipeline")
    _write_local_config(workspace)
    return workspace


def bring(source: Path, target: Path) -> None:
    """Put the file or folder ``source`` at ``target``, replacing what is there; hard links where they are possible."""
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_or_copy)
    else:
        _link_or_copy(str(source), str(target))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _write_local_config(workspace: Workspace) -> None:
    folder = workspace.project / ".dvc"
    folder.mkdir(exist_ok=True)
    # What a reviewer's own settings say about caches and remotes is no part of the revision.
    lines = ["[core]", "    analytics = false", "[cache]", f"    dir = {workspace.folder / 'cache'}", "    type = copy"]
    (folder / "config.local").write_text("\n".join(lines) + "\n", encoding="utf-8")
