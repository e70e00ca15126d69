"""What the trials of a sweep are over: the commit, and the changes to tracked files that lie on it."""

from pathlib import Path

from stagewise.config.git import find_commit, git
from stagewise.errors import SweepError

INPUTS = ("params.yaml", "conf", "src", "stages", "dvc.yaml", "data/own")
"""What a trial takes out of git."""


def snapshot(root: Path) -> tuple[str, str]:
    """Return the commit HEAD and a commit of the tracked files as they lie there (HEAD itself where nothing changed).

    The snapshot is an object without a name: no branch, no index and no file is touched.

    Raises:
        SweepError: there are untracked inputs, which no clone would have.
    """
    head = find_commit(root, "HEAD")
    listed = git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *INPUTS)
    untracked = [name for name in (listed or "").split("\0") if name]
    if untracked:
        raise SweepError(
            "files that the trials need are not known to git",
            details=untracked[:5],
            why="each trial runs in a clone of its own",
            fix=f"git add {' '.join(untracked[:3])}",
        )
    return head, (git(root, "stash", "create") or "").strip() or head
