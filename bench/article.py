"""MNIST side by side: the articles' own script, and this project's whole pipeline.

    python bench/article.py [--rounds N] [--baseline FILE]

1. Time to 99.0 %: the script's CNN until its test accuracy is 99.0 %, against all seven stages from a cold cache
   (ingest to package) that end with a test accuracy of at least 99.0 %.
2. Seconds per epoch of training at equal network, optimiser and batch: the script's epochs, against the difference
   of two train stages that differ by two epochs (so that start-up does not count).

The two sides run in turn, N times; ratios of the medians are reported. Needs the mirror of the data sets
(STAGEWISE_MIRROR) and the script, by default ../shared/baselines/article_mnist.py.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from workspace import SHARED, cold_copy, run, write_params

GOAL = 0.99
MNIST = ["data=mnist", "augment=none", "trainer={use: default, max_epochs: 2}"]
ARTICLE = [
    "data=mnist", "model={use: cnn, padding: 0}", "augment=none", "optimizer={use: adam, lr: 0.001}",
    "scheduler=constant", "trainer={use: default, batch_size: 64}",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--baseline", type=Path, default=SHARED / "baselines" / "article_mnist.py")
    options = parser.parse_args()
    whole, script, ours, theirs = [], [], [], []
    for number in range(options.rounds):
        seconds, epochs = run_script(options.baseline)
        script.append(seconds)
        theirs.append(epochs)
        seconds, accuracy = run_pipeline()
        whole.append(seconds)
        ours.append(epoch_seconds())
        print(f"round {number + 1}: script {script[-1]:.0f} s to {GOAL:.1%}, {epochs:.1f} s an epoch; "
              f"seven stages {seconds:.0f} s to {accuracy:.2%}, {ours[-1]:.1f} s an epoch", flush=True)  # fmt: skip
    print(f"all seven stages / script to {GOAL:.1%}:  {statistics.median(whole) / statistics.median(script):.2f}")
    print(f"seconds per epoch, ours / script:    {statistics.median(ours) / statistics.median(theirs):.2f}")


def run_script(baseline: Path) -> tuple[float, float]:
    """Run the script until it reaches the goal; return its wall seconds so far and its median seconds per epoch."""
    start, marks = time.time(), [0.0]
    command = [sys.executable, str(baseline), "cnn", "--epochs", "12"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or []:
            words = line.split()
            marks.append(float(words[3]))
            if float(words[5]) >= GOAL:
                process.kill()
                break
    epochs = [later - earlier for earlier, later in itertools.pairwise(marks[1:])] or marks[1:]
    return time.time() - start, statistics.median(epochs)


def run_pipeline() -> tuple[float, float]:
    """Run all stages on MNIST from a cold cache; return wall seconds and the test accuracy."""
    with cold_copy() as root:
        write_params(root, MNIST)
        start = time.time()
        run(root, "dvc", "repro")
        seconds = time.time() - start
        accuracy = json.loads((root / "reports/evaluation/metrics.json").read_text())["accuracy"]
    if accuracy < GOAL:
        sys.exit(f"the pipeline ended at {accuracy:.2%}, below the goal of {GOAL:.1%}")
    return seconds, accuracy


def epoch_seconds() -> float:
    """Return the wall seconds of one training epoch with the article's network, optimiser and batch."""
    with cold_copy() as root:
        write_params(root, [*ARTICLE, "trainer.max_epochs=1"])
        run(root, "dvc", "repro", "preprocess")
        times = []
        for epochs in (1, 3):
            start = time.time()
            run(root, sys.executable, "stages/train.py", f"trainer.max_epochs={epochs}")
            times.append(time.time() - start)
    return (times[1] - times[0]) / 2


if __name__ == "__main__":
    main()
