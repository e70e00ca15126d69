"""Sweeps of every kind, as the core would record them."""

import itertools
import random
from pathlib import Path
from typing import Any

from stagewise.sweeps.record import Objective, State, Sweep, Trial, sweep_file, trial_file, write_record

LOSS = Objective(metric="val_loss", direction="min")
BYTES = Objective(metric="bytes", direction="min")
ACCURACY = Objective(metric="val_accuracy", direction="max")
BEGAN = 1_790_000_000.0
HOSTILE = [
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><style>*{display:none}</style> </title> </pre> </details> <!-- --> -->",
    "\x1b[31mred\x1b[0m \x07 \x9b31m \u202egnp.exe\u202c \u200bzero",
    "{{ 7 * 7 }} {% raw %} [bold red]rich[/] :smile: &lt;b&gt;",
    "javascript:alert(1) url(https://evil.example/u) @import 'https://evil.example/c.css'",
    "長い名前のクラス 🎉 " * 12,
    "line one\n\n# heading\r\nline two",
]


def trial(
    number: int, overrides: list[str], metrics: dict[str, float] | None = None, state: State = "finished", **more: Any
) -> Trial:
    """One trial of known times: the n-th starts n minutes after the first and takes 30 seconds + n."""
    begun = BEGAN + 60 * number
    known: dict[str, Any] = {
        "id": f"{number:012x}", "overrides": overrides, "state": state, "metrics": metrics or {},
        "stages": {"configure": "ran", "ingest": "restored", "train": "ran"} if state == "finished" else {"configure": "ran"},
        "seconds": {"configure": 1.5, "train": 20.0 + number} if state == "finished" else {"configure": 1.5},
        "experiment": f"sweep-{number:012x}" if state == "finished" else "",
        "started": begun, "ended": begun + 30 + number if state in ("finished", "failed") else 0.0,
    }  # fmt: skip
    return Trial(**{**known, **more})


def failed(number: int, overrides: list[str], **more: Any) -> Trial:
    error = "epoch 3: val_loss nan\ntrain: the loss is not finite\n  next:  lower optimizer.lr\nTraceback (most recent call last):\n  File x\ndvc.exceptions.ReproductionError: failed to reproduce 'train'\n"
    known = {"stage": "train", "error": error, "log": f".stagewise/sweeps/logs/{number:012x}.log"}
    return trial(number, overrides, state="failed", **{**known, **more})


def curves(last: float, epochs: int = 8) -> dict[str, list[float | None]]:
    losses: list[float | None] = [last + 2.0 * 0.6**epoch for epoch in range(epochs)]
    return {
        "train_loss": [*losses[:-1], last],
        "val_loss": [*losses[:-1], last],
        "val_accuracy": [None, *[1 / (1 + (v or 0)) for v in losses[1:]]],
    }


def sweep(trials: list[Trial], objectives: list[Objective] | None = None, **more: Any) -> tuple[Sweep, list[Trial]]:
    known: dict[str, Any] = {
        "name": "sweep", "arguments": ["model=cnn,mlp", "optimizer.lr=1e-3,1e-2,1e-1", "seed=range(3)"],
        "objectives": objectives or [LOSS], "base": "c" * 40, "trials": [item.id for item in trials], "total": len(trials),
    }  # fmt: skip
    return Sweep(**{**known, **more}), trials


def grid(seeds: int = 3, spread: float = 0.02) -> list[Trial]:
    """2 networks x 3 learning rates x seeds; cnn at 0.01 is the best, cnn at 0.001 close to it."""
    draw = random.Random(7)
    means = {"cnn": {"0.001": 0.31, "0.01": 0.30, "0.1": 0.9}, "mlp": {"0.001": 0.62, "0.01": 0.6, "0.1": 1.4}}
    trials = []
    for number, (model, lr, seed) in enumerate(itertools.product(means, means["cnn"], range(seeds))):
        loss = means[model][lr] + draw.gauss(0, spread)
        size = 400_000.0 if model == "cnn" else 90_000.0
        metrics = {"val_loss": loss, "val_accuracy": 1 / (1 + loss), "bytes": size + seed, "epoch": 8.0}
        trials.append(
            trial(number, [f"model={model}", f"+optimizer.lr={lr}", f"seed={seed}"], metrics, curves=curves(loss))
        )
    return trials


def with_failures() -> tuple[Sweep, list[Trial]]:
    trials = grid()
    trials[4] = failed(4, trials[4].overrides)
    trials[17] = failed(17, trials[17].overrides, error="", stage=None, log="")
    trials[16] = trial(16, trials[16].overrides, state="running", stage="train")
    trials[15] = trial(15, trials[15].overrides, {"val_loss": float("nan")})
    return sweep(trials, total=20)


def random_search(count: int = 24, **more: Any) -> tuple[Sweep, list[Trial]]:
    """Two objectives; lr matters much, width a little, dropout not at all."""
    draw = random.Random(3)
    trials = []
    for number in range(count):
        exponent, width, dropout = draw.uniform(-5, -1), draw.choice([16, 32, 64, 128]), draw.choice(["true", "false"])
        loss = 0.2 + (exponent + 3) ** 2 + 0.3 * (128 - width) / 128 + draw.gauss(0, 0.01)
        overrides = [f"optimizer.lr={10**exponent!r}", f"model.arguments.width={width}", f"model.dropout={dropout}"]
        trials.append(
            trial(
                number,
                overrides,
                {"val_loss": loss, "bytes": 1000.0 * width + number},
                curves=curves(loss, 5 + number % 3),
            )
        )
    return sweep(trials, [LOSS, BYTES], **more)


def hostile() -> tuple[Sweep, list[Trial]]:
    """Every text of every record is an attack."""
    texts = itertools.cycle(HOSTILE)
    objectives = [Objective(metric=HOSTILE[0], direction="min"), Objective(metric=HOSTILE[1], direction="max")]
    trials = []
    for number in range(16):
        metrics = {HOSTILE[0]: float(number), HOSTILE[1]: float(number % 5), next(texts): 1.0}
        key = HOSTILE[number % 8].replace("=", "")
        overrides = [f"+{key}={next(texts)}", f"plain={next(texts)}", f"seed={next(texts)}"]
        if number % 4 == 3:
            trials.append(failed(number, overrides, error=next(texts), log=next(texts), stage=next(texts)))
            continue
        trials.append(
            trial(number, overrides, metrics, curves={next(texts): [1.0, 2.0], HOSTILE[0]: [float(number), 1.0]}, experiment=next(texts), stages={next(texts): "ran"}, seconds={next(texts): 1.0})
        )  # fmt: skip
    return sweep(trials, objectives, name=HOSTILE[3], arguments=HOSTILE, base=HOSTILE[1])


def empty() -> tuple[Sweep, list[Trial]]:
    return sweep([], total=None)


def single() -> tuple[Sweep, list[Trial]]:
    return sweep([trial(0, [], {"val_loss": 0.5}, curves=curves(0.5, 1))])


def write(root: Path, made: Sweep, trials: list[Trial]) -> None:
    """The records as files below a project."""
    for item in trials:
        write_record(item, trial_file(root, item.id))
    write_record(made, sweep_file(root, made.name))
