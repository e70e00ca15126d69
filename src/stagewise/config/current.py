"""The quick answer to ``dvc repro`` where nothing has changed: DVC's own checks without its command line."""

from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo


def stages_if_current(root: Path) -> list[str] | None:
    """Return the names of all stages, in the order of dvc.yaml, if ``dvc repro`` would run none of them, else None.

    None is also the answer wherever DVC has something to say: a broken dvc.yaml, a frozen stage, a running repro.
    """
    try:
        with Repo(str(root)) as repo, lock_repo(repo):
            stages = repo.index.stages  # not as a graph, which costs 0.06 s, mostly for importing networkx
            return None if any(_needs_dvc(stage) for stage in stages) else [stage.addressing for stage in stages]
    except (DvcException, OSError):
        return None


def _needs_dvc(stage: Any) -> bool:
    return bool(stage.frozen or stage.changed())
