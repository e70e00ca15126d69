"""What exactness costs, and what changes the bits of a result all the same.

    python bench/determinism.py [--rounds N] [--only costs|bits]

1. Costs: CPU seconds of the second training epoch with a means of exactness and without (wall seconds where the number
   of threads differs), in one process, in turn and N times each; the order alternates. Reported are the median of the N
   ratios with / without, and their range: a ratio within the range of the line "nothing changed" says nothing. Lines of
   wall seconds want a machine that does nothing else.
2. Bits: the digits are trained and evaluated in fresh processes that differ from the first one in one thing each:
   whether the weights are the same bytes, how many predictions on the test rows moved, and the largest difference of a
   probability.

Works in a temporary copy, on made-up images of 28 x 28 and made-up texts, and on the digits.
"""

import argparse
import csv
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
from workspace import cold_copy, environment, run

Without = Callable[[], AbstractContextManager[None]]
Clock = Callable[[], float]

IMAGES = ["data={use: own_npz, source: {path: data/own/images.npz}}", "augment=none", "scheduler=constant"]
TEXTS = [
    "experiment=sms_spam",
    "data={use: own_text, source: {path: data/own/texts.csv}, feature: {near_duplicates: null}}",
    "augment=none", "scheduler=constant",
]  # fmt: skip
QUICK = ["trainer={use: default, max_epochs: 2, batch_size: 64, loggers: [], progress: false}"]
NETWORKS = {
    "cnn": [*IMAGES, "model={use: cnn, dropout: 0.2}"],
    "resnet-8": [*IMAGES, "model={use: resnet, depth: 8}"],
    "text_transformer": [*TEXTS, "model=text_transformer"],
}
ROWS, CLASSES = 1024, 10
DIGITS = ["experiment=digits", "threads=1", "trainer.loggers=[]", "trainer.progress=false", "evaluate.resamples=10"]
CHANGES: dict[str, tuple[list[str], dict[str, str]]] = {
    "nothing: a repeat": ([], {}),
    "trainer.workers=2": (["trainer.workers=2"], {}),
    "trainer.deterministic=false": (["trainer.deterministic=false"], {}),
    "PYTHONHASHSEED=1": ([], {"PYTHONHASHSEED": "1"}),
    "TZ=Asia/Tokyo": ([], {"TZ": "Asia/Tokyo"}),
    "LC_ALL=C": ([], {"LC_ALL": "C"}),
    "threads=2": (["threads=2"], {}),
    "MKL_CBWR=COMPATIBLE": ([], {"MKL_CBWR": "COMPATIBLE"}),
    "ATEN_CPU_CAPABILITY=avx2": ([], {"ATEN_CPU_CAPABILITY": "avx2"}),
    "ATEN_CPU_CAPABILITY=default": ([], {"ATEN_CPU_CAPABILITY": "default"}),
    "ONEDNN_MAX_CPU_ISA=AVX2": ([], {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "ONEDNN_MAX_CPU_ISA=SSE41": ([], {"ONEDNN_MAX_CPU_ISA": "SSE41"}),
    "seed=1": (["seed=1"], {}),
}
ONE = """
import sys
from pathlib import Path
import yaml
from stagewise.config.schema.evaluate import EvaluateSettings
from stagewise.config.schema.train import TrainSettings
from stagewise.evaluation.evaluate import evaluate
from stagewise.training.train import train

if __name__ == "__main__":
    build, processed, out, work = map(Path, sys.argv[1:])
    read = lambda stage: yaml.safe_load((build / f"{stage}.yaml").read_text())["config"]
    train(TrainSettings.model_validate(read("train")), processed, out, work)
    evaluate(EvaluateSettings.model_validate(read("evaluate")), processed, out, out, work)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["costs", "bits"])
    options = parser.parse_args()
    print(machine(), flush=True)
    with cold_copy() as root:
        os.chdir(root)
        if options.only != "bits":
            costs(root, options.rounds)
        if options.only != "costs":
            bits(root)


def machine() -> str:
    """What the figures were measured on."""
    import torch

    vectors = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()}, {os.cpu_count()} cores, {vectors}, torch {torch.__version__}"


def costs(root: Path, rounds: int) -> None:
    """Print the table of ratios."""
    lay_data(root / "data" / "own")
    processed = {name: prepare(root, choices, name) for name, choices in NETWORKS.items()}
    print(f"\n{'what':46} {'network':17} {'with / without':>14}   range of {rounds}")

    def compare(
        what: str,
        network: str,
        choices: Sequence[str] = (),
        others: Sequence[str] = (),
        without: Without = nullcontext,
        clock: Clock = time.process_time,
    ) -> None:
        both = [*NETWORKS[network], "threads=1", *QUICK]
        sides = [
            lambda: epoch(root, [*both, *choices], processed[network], nullcontext, clock),
            lambda: epoch(root, [*both, *others], processed[network], without, clock),
        ]
        ratios = interleaved(sides, rounds)
        line = f"{what:46} {network:17} {statistics.median(ratios):14.2f}   {min(ratios):.2f} to {max(ratios):.2f}"
        print(line, flush=True)

    compare("nothing changed", "cnn")
    for network in NETWORKS:
        compare("trainer.deterministic, true / false", network, others=["trainer.deterministic=false"])
    for network in ("cnn", "text_transformer"):
        compare("dropout seeded at every step", network, without=unseeded_steps)
    for network, augment in (("cnn", "light"), ("cnn", "strong"), ("text_transformer", "text_strong")):
        chosen = [f"augment={augment}"]
        compare(f"augment={augment}, keyed / torch's generator", network, chosen, chosen, global_draws)
    for network in NETWORKS:
        compare("threads, 1 / 2 (wall)", network, ["threads=1"], ["threads=2"], clock=time.perf_counter)


def interleaved(sides: list[Callable[[], float]], rounds: int) -> list[float]:
    """Ratios of the first side to the second, one per round; the sides take turns at going first."""
    for side in sides:
        side()
    ratios = []
    for number in range(rounds):
        seconds = {}
        for which in (0, 1) if number % 2 else (1, 0):
            seconds[which] = sides[which]()
        ratios.append(seconds[0] / seconds[1])
    return ratios


def lay_data(own: Path) -> None:
    """Images as large as those of MNIST, and texts of 10 to 30 words."""
    own.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    labels = np.arange(ROWS) % CLASSES
    np.savez(own / "images.npz", images=random.integers(0, 256, (ROWS, 28, 28), np.uint8), labels=labels)
    with (own / "texts.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for label in labels:
            words = random.integers(0, 2000, random.integers(10, 30))
            table.writerow([" ".join(f"w{word}" for word in words), f"class {label % 2}"])


def prepare(root: Path, choices: list[str], name: str) -> Path:
    """Ingest and preprocess; return the folder of processed data."""
    from stagewise.data.preprocess import preprocess
    from stagewise.data.sources.ingest import ingest

    settings = settings_of(root, choices)
    folders = [root / "bench" / name / part for part in ("raw", "processed", "reports")]
    for folder in folders:
        folder.mkdir(parents=True)
    raw, processed, reports = folders
    ingest(settings["ingest"], raw, partial=root / "partial")
    preprocess(settings["preprocess"], raw, processed, reports)
    return processed


def settings_of(root: Path, choices: list[str]) -> dict[str, Any]:
    """What each stage gets."""
    from stagewise.config.compose import compose
    from stagewise.config.resolve import stage_settings

    return dict(stage_settings(compose(root, choices), root))


def epoch(root: Path, choices: list[str], processed: Path, without: Without, clock: Clock) -> float:
    """Seconds of the second epoch's steps; ``without`` is a context in which training is less exact."""
    from stagewise.tasks.module import TaskModule
    from stagewise.training.train import train

    marks: list[float] = []
    start, end = TaskModule.on_train_epoch_start, TaskModule.on_train_epoch_end

    def marked(method: Any) -> Any:
        def call(module: Any) -> None:
            marks.append(clock())
            method(module)

        return call

    settings = settings_of(root, choices)["train"]
    with (
        tempfile.TemporaryDirectory() as name,
        mock.patch.object(TaskModule, "on_train_epoch_start", marked(start)),
        mock.patch.object(TaskModule, "on_train_epoch_end", marked(end)),
        without(),
    ):
        (Path(name) / "out").mkdir()
        train(settings, processed, Path(name) / "out", Path(name) / "work")
    return marks[3] - marks[2]


@contextmanager
def unseeded_steps() -> Iterator[None]:
    """Dropout draws on from where the last step ended."""
    from stagewise.tasks.module import TaskModule

    def note_rate(module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG001
        module.learning_rate = float(module.trainer.optimizers[0].param_groups[0]["lr"])

    with mock.patch.object(TaskModule, "on_train_batch_start", note_rate):
        yield


@contextmanager
def global_draws() -> Iterator[None]:
    """The same transforms, but their numbers come from torch's global generator."""
    import torch

    from stagewise.data.augment import random

    draws = {
        "uniform": lambda key, _, shape=(): torch.rand(len(key), *shape),
        "normal": lambda key, _, shape=(): torch.randn(len(key), *shape),
        "keys": lambda seed, epoch, index: index,  # noqa: ARG005
        "derive": lambda key, _: key,
    }
    with mock.patch.multiple(random, **draws):
        yield


def bits(root: Path) -> None:
    """Print the table of what changes the bits of a training on the digits."""
    run(root, "python", "-m", "stagewise", "configure", *DIGITS)
    processed = prepare(root, DIGITS, "digits")
    first = trained(root, processed, "first", [], {})
    print(f"\n{'changed':30} {'weights':16} {'predictions moved':>17} {'largest difference of a probability':>36}")
    for number, (change, (choices, variables)) in enumerate(CHANGES.items()):
        other = trained(root, processed, str(number), choices, variables)
        same = (first / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
        moved, largest = compare_answers(first, other)
        print(f"{change:30} {'the same bytes' if same else 'differ':16} {moved:17.2%} {largest:36.1e}", flush=True)


def trained(root: Path, processed: Path, name: str, choices: list[str], variables: dict[str, str]) -> Path:
    """Train and evaluate in a process of its own; return the folder of its results."""
    out = root / "runs" / name
    out.mkdir(parents=True)
    run(root, "python", "-m", "stagewise", "configure", *DIGITS, *choices)
    command = [sys.executable, "-c", ONE, str(root / "build"), str(processed), str(out), str(out / "work")]
    done = subprocess.run(command, cwd=root, env={**environment(root), **variables}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return out


def compare_answers(one: Path, two: Path) -> tuple[float, float]:
    """The share of test rows whose label differs, and the largest difference of a probability."""
    first, second = (pq.read_table(folder / "predictions.parquet").to_pydict() for folder in (one, two))
    order = [second["id"].index(name) for name in first["id"]]
    moved = [label != second["label"][row] for label, row in zip(first["label"], order, strict=True)]
    columns = [name for name in first if name.startswith("p_")]
    gaps = [np.abs(np.array(first[name]) - np.array(second[name])[order]).max() for name in columns]
    return float(np.mean(moved)), float(max(gaps))


if __name__ == "__main__":
    main()
