"""Runs steps in forks of this process, of which the first is killed at a training batch and the second goes on.

The standard input holds ``{"settings", "processed", "weights", "work", "runs": [{"step", "batch"}]}``; for each run a
line of the standard output says how often training went on from a checkpoint, and the sha256 of the weights.
"""

import hashlib
import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from stagewise.compression.steps import Workshop
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSettings
from stagewise.config.targets import build
from stagewise.data.schema import read_schema
from stagewise.tasks.build import load_inference, set_threads
from stagewise.tasks.module import TaskModule
from stagewise.tasks.weights import save_weights


def dies_at(batch: int) -> None:
    original, begun = TaskModule.on_train_batch_start, 0

    def counted(module: Any, *arguments: Any) -> Any:
        nonlocal begun
        begun += 1
        if begun == batch:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(module, *arguments)

    TaskModule.on_train_batch_start = counted  # type: ignore[method-assign]


def run(order: dict[str, Any], step: dict[str, Any], out: Path, log: Path, batch: int | None) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    warnings.simplefilter("error")
    if batch is not None:
        dies_at(batch)
    settings = CompressSettings.model_validate_json(order["settings"])
    set_threads(settings.threads)
    processed = Path(order["processed"])
    schema = read_schema(processed)
    teacher = load_inference(settings, schema, Path(order["weights"]))
    room = Workshop(settings, schema, processed, out.parent, json.dumps(step), teacher)
    changed = build(Target.model_validate(step)).run(teacher, room)
    save_weights(changed.network.state_dict(), out)


def in_a_fork(*arguments: Any) -> int:
    child = os.fork()
    if child == 0:
        try:
            run(*arguments)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    order = json.load(sys.stdin)
    work = Path(order["work"])
    for number, one in enumerate(order["runs"]):
        folder = work / str(number)
        folder.mkdir(parents=True)
        out, log = folder / "weights.safetensors", folder / "log"
        codes = [in_a_fork(order, one["step"], out, log, batch) for batch in (one["batch"], None)]
        digest = hashlib.sha256(out.read_bytes()).hexdigest() if out.is_file() else log.read_text()
        print(json.dumps({"codes": codes, "resumed": "goes on from" in log.read_text(), "digest": digest}), flush=True)


if __name__ == "__main__":
    main()
