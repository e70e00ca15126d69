"""The few questions this project asks git."""

import subprocess
from pathlib import Path

from stagewise.errors import ConfigError


def git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where it refuses.

    Raises:
        ConfigError: git is not installed.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ConfigError("git is not installed", fix="install git") from error
    return done.stdout if done.returncode == 0 else None


def git_bytes(root: Path, *arguments: str) -> bytes | None:
    """Return what git prints as it is, or None where it refuses.

    Raises:
        ConfigError: git is not installed.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ConfigError("git is not installed", fix="install git") from error
    return done.stdout if done.returncode == 0 else None


def run_git(folder: Path, *arguments: str) -> None:
    """Have git do something in ``folder``.

    Raises:
        ConfigError: it refuses; with what it says.
    """
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ConfigError(f"git {arguments[0]} failed", where=str(folder), why=said)


def find_commit(root: Path, revision: str) -> str:
    """Return the 40 digits of the commit that ``revision`` names.

    Raises:
        ConfigError: there is no such commit.
    """
    commit = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise ConfigError(
            f"git knows no revision {revision!r} here", where=str(root), fix="git log --oneline shows the revisions"
        )
    return commit.strip()
