"""What every experiment reaches on its test rows, from a cold cache, beside what it is meant to reach.

    python bench/quality.py [NAME ...]     all when none is named; exit code 1 when a figure is missed

Each runs the whole pipeline in a private copy of the project. Needs the mirror of the data sets (STAGEWISE_MIRROR).
`pytest -m long` runs the same.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass

from workspace import cold_copy, run, write_params


@dataclass(frozen=True)
class Goal:
    """Overrides of params.yaml, a figure of metrics.json, and the least (or with ``most`` the most) it should be.

    ``beside`` names further figures to print.
    """

    overrides: tuple[str, ...]
    figure: str = "accuracy"
    least: float | None = None
    most: float | None = None
    beside: tuple[str, ...] = ()

    def missed(self, value: float) -> bool:
        """Whether the value falls short."""
        return (self.least is not None and value < self.least) or (self.most is not None and value > self.most)

    def words(self) -> str:
        """The goal in words."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return f"at most {self.most:g}" if self.most is not None else "no goal"


FORECAST = ("mae", "seasonal_naive_mse", "seasonal_naive_mae")

GOALS = {
    "digits": Goal((), least=0.98),
    "mnist-cnn": Goal(("experiment=mnist",), least=0.99),
    "mnist-mlp": Goal(("experiment=mnist", "model=mlp"), least=0.98),
    "fashion-cnn": Goal(("experiment=fashion_mnist",)),
    "fashion-resnet": Goal(("experiment=fashion_mnist", "model=resnet")),
    "sms-spam": Goal(("experiment=sms_spam",), "f1_spam", least=0.95),
    "sentence-polarity": Goal(("experiment=sentence_polarity",), least=0.76),
    "adult": Goal(("experiment=adult",), "auroc", least=0.90, beside=("baseline_auroc",)),
    "california": Goal(("experiment=california_housing",), "rmse", beside=("mae", "r2", "baseline_rmse")),
    "fsdd": Goal(("experiment=fsdd",), least=0.97),
    "fsdd-speaker": Goal(("experiment=fsdd_speaker",)),
    "etth1-96": Goal(("experiment=etth1_96",), "mse", most=0.385, beside=FORECAST),
    "etth1-336": Goal(("experiment=etth1_336",), "mse", most=0.45, beside=FORECAST),
    "etth1-96-lstm": Goal(("experiment=etth1_96_lstm",), "mse", beside=FORECAST),
    "etth1-96-patchtst": Goal(("experiment=etth1_96_patchtst",), "mse", beside=FORECAST),
    "etth1-336-lstm": Goal(("experiment=etth1_336_lstm",), "mse", beside=FORECAST),
    "etth1-336-patchtst": Goal(("experiment=etth1_336_patchtst",), "mse", beside=FORECAST),
    "air-passengers": Goal(("experiment=air_passengers",), "mse", beside=FORECAST),
}


def measure(name: str) -> bool:
    """Run one experiment and print a line; whether its goal was reached."""
    goal = GOALS[name]
    with cold_copy() as root:
        write_params(root, list(goal.overrides))
        start = time.time()
        run(root, "dvc", "repro")
        seconds = time.time() - start
        metrics = json.loads((root / "reports/evaluation/metrics.json").read_text())
        candidates = json.loads((root / "reports/compression/candidates.json").read_text())
        history = (root / "models/trained/history.csv").read_text().splitlines()
    chosen, value = candidates["candidates"][candidates["chosen"]], metrics[goal.figure]
    low, high = metrics.get(f"{goal.figure}_low"), metrics.get(f"{goal.figure}_high")
    interval = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
    beside = "".join(f", {other} {metrics[other]:.4g}" for other in goal.beside)
    print(
        f"{name:18} {goal.figure} {value:.4g}{interval}, goal: {goal.words()}{beside}  {len(history) - 1} epochs, "
        f"all stages {seconds:.0f} s  {candidates['chosen']}: {chosen['bytes'] / 1000:.0f} kB, "
        f"{1 / chosen['size_ratio']:.1f} x smaller, {candidates['figure']} {-chosen['drop']:+.4f}",
        flush=True,
    )
    return not goal.missed(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(GOALS)}")
    reached = [measure(name) for name in parser.parse_args().names or GOALS]
    sys.exit(0 if all(reached) else 1)


if __name__ == "__main__":
    main()
