"""Being asked to stop: SIGTERM from a scheduler, Ctrl-C from a person."""

import signal
import sys
import threading
from types import FrameType


class Stopped(SystemExit):
    """The run was asked to stop, and the same command goes on from its last checkpoint.

    Not a ``StagewiseError``: nothing is wrong. The exit code is 128 plus the signal's number, as of a process that
    died by it; 0 in further processes, whose launcher would take another code for a crash.

    Args:
        number: of the signal.
        saved: the place of the last checkpoint, or None when there is none.
        first: whether this is the run's first process, which says so.
    """

    def __init__(self, number: int, saved: str | None, first: bool) -> None:
        super().__init__(128 + number if first else 0)
        if first:
            rest = f"; the same command goes on from {saved}" if saved else " before its first checkpoint"
            print(f"train: stopped by {signal.Signals(number).name}{rest}", file=sys.stderr, flush=True)


class StopSignals:
    """Notes a signal, for the run to stop when its state can be saved; a second one stops it at once."""

    def __init__(self) -> None:
        self.number = 0
        """Of the signal that came; 0 as long as none did."""
        self.saved: str | None = None
        """The place of the last checkpoint."""
        self._first = True

    def install(self, first: bool) -> None:
        """Take SIGTERM and SIGINT; Lightning gives back the handlers of before when training ends."""
        self._first = first
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._note)

    def stopped(self, number: int) -> Stopped:
        """What ends the run."""
        return Stopped(number, self.saved, self._first)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.number:
            raise self.stopped(number)
        self.number = number
