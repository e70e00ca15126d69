"""Running one stage of a checkout, as ``dvc repro`` would, with nothing restored from any cache."""

import subprocess
import sys
import time
from dataclasses import dataclass

from stagewise.review.observe import Observed, Observer
from stagewise.review.workspace import Workspace

_KEPT = 4000


@dataclass(frozen=True)
class Execution:
    """One run of a stage."""

    code: int
    seconds: float
    log: str
    """The end of what it printed."""
    observed: Observed


def execute(workspace: Workspace, stage: str) -> Execution:
    """Run a stage from the inputs that lie in the checkout; its outputs lie there afterwards if the code is 0."""
    observer = Observer(workspace.folder / "observed" / f"{stage.replace('/', '_')}-{time.monotonic_ns()}")
    repro = ["repro", "--single-item", "--force", "--no-run-cache", "--no-commit", stage]
    command = [sys.executable, "-m", "dvc", *repro]
    variables = workspace.environment(**observer.variables())
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=workspace.project, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    seconds = time.monotonic() - begun
    text = done.stdout.decode(errors="replace")[-_KEPT:]
    return Execution(done.returncode, seconds, text, observer.read())
