"""A training that is under way: its curves go into the trial's record, and a pruner may end it."""

import os
import signal
import threading
from pathlib import Path
from types import TracebackType

import psutil  # type: ignore[import-untyped, unused-ignore]

from stagewise.sweeps.measures import live_curves
from stagewise.sweeps.prune import Pruner
from stagewise.sweeps.record import Trial, trial_file, write_record

_INTERVAL = 0.5
_SCRIPT = "stages/train.py"


class Follower:
    """Follows the training of this process's trial while the block runs.

    Args:
        workspace: the trial's.
        root: of the project, where the record lies.
        trial: its record, changed and written whenever an epoch has ended.
        pruner: asked after each epoch; None ends nothing.
    """

    def __init__(self, workspace: Path, root: Path, trial: Trial, pruner: Pruner | None) -> None:
        self._workspace, self._root, self._trial, self._pruner = workspace, root, trial, pruner
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow the training", daemon=True)
        self.ended = False
        """Whether the pruner ended the training."""

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._left.wait(_INTERVAL):
            curves = live_curves(self._workspace)
            if not curves or curves == self._trial.curves:
                continue
            self._trial.curves = curves
            write_record(self._trial, trial_file(self._root, self._trial.id))
            if self._pruner and not self.ended and self._pruner.ends(curves):
                self.ended = _stop_training()


def _stop_training() -> bool:
    """Ask the training below this process to stop, which saves a checkpoint first; false where there is none."""
    scripts = [process for process in psutil.Process().children(recursive=True) if _is_script(process)]
    # Its loader processes bear the same name.
    first = [process for process in scripts if process.ppid() not in {other.pid for other in scripts}]
    for process in first:
        os.kill(process.pid, signal.SIGTERM)
    return bool(first)


def _is_script(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return len(words) > 1 and words[1] == _SCRIPT
