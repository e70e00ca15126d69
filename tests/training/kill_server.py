"""Runs of training that die on request, each in a fork of this process, which has imported all that they need.

One JSON object a line on the standard input starts a run, one on the standard output says how it ended. ``kill`` names
a moment (``at``), how often it must have come (``count``), and for those that this process waits for, a ``delay`` in
seconds and the ``signal``.
"""

import json
import mmap
import os
import signal
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stagewise.config.schema.train import TrainSettings
from stagewise.tasks.module import TaskModule
from stagewise.training import checkpoints
from stagewise.training.train import train


class Counter:
    """A number that a fork and this process share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    @property
    def value(self) -> int:
        return struct.unpack("q", self._memory[:8])[0]

    def add(self) -> None:
        self._memory[:8] = struct.pack("q", self.value + 1)


def dies_at(owner: Any, name: str, count: int, when: str, number: int) -> None:
    """Have this process send itself a signal at a call of a function, before (perhaps twice, or its whole group) or after."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if when == "group" and calls == count:
            os.killpg(0, number)
        if when in ("before", "twice") and calls == count:
            for _ in range(1 + (when == "twice")):
                os.kill(os.getpid(), number)
        result = original(*arguments, **named)
        if when == "after" and calls == count:
            os.kill(os.getpid(), number)
        return result

    setattr(owner, name, counted)


def counts(owner: Any, name: str, counter: Counter) -> None:
    original = getattr(owner, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        counter.add()
        return original(*arguments, **named)

    setattr(owner, name, counted)


def prepare(kill: dict[str, Any], counter: Counter) -> None:
    place, _, when = kill["at"].partition(" ")
    moments: dict[str, tuple[Any, str]] = {
        "rename": (Path, "replace"),
        "fsync": (os, "fsync"),
        "write": (checkpoints._Hashing, "write"),
        "validation": (TaskModule, "validation_step"),
        "step": (TaskModule, "on_train_batch_start"),
        "optimizer": (TaskModule, "optimizer_step"),
        "weights": (checkpoints.CheckpointFolder, "remove"),
    }
    if place == "batch":
        for name in ("on_train_batch_start", "on_validation_epoch_start"):
            counts(TaskModule, name, counter)
    else:
        owner, name = moments[place]
        dies_at(owner, name, kill["count"], when, kill.get("signal", signal.SIGKILL))


def child(order: dict[str, Any], counter: Counter) -> int:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    warnings.simplefilter("error")
    os.setsid()  # a group of its own, which loader processes join
    if order["kill"]:
        prepare(order["kill"], counter)
    out = Path(order["out"])
    out.mkdir(parents=True)
    settings = TrainSettings.model_validate_json(order["settings"])
    try:
        train(settings, Path(order["processed"]), out, Path(order["work"]), order["key"])
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 99
    return 0


def run(order: dict[str, Any]) -> dict[str, Any]:
    counter = Counter()
    process = os.fork()
    if process == 0:
        code = 98
        try:
            code = child(order, counter)
        finally:
            sys.stderr.flush()
            os._exit(code)
    kill = order["kill"]
    if kill and kill["at"] == "batch":
        while (
            counter.value < kill["count"] and os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        ):
            time.sleep(0.0005)
        time.sleep(kill["delay"])
        os.kill(process, kill["signal"])  # not waited for yet: the number is still this child's
    _, status = os.waitpid(process, 0)
    return {"code": os.waitstatus_to_exitcode(status), "left": left_behind(process)}


def left_behind(session: int, seconds: float = 3.0) -> list[int]:
    """Processes of the run that outlive it by this long: fewer seconds than torch's own watch over its workers takes."""
    deadline = time.monotonic() + seconds
    while (left := members(session)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def members(session: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(int(folder.name))
    return found


if __name__ == "__main__":
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
