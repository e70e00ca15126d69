"""Test accuracy of the shipped choices, from a cold cache: what the README says of them.

    python bench/accuracy.py [NAME ...]     names: digits, mnist-cnn, mnist-mlp, fashion-cnn, fashion-resnet (all)

Each runs the whole pipeline in a private copy of the project. Needs the mirror of the data sets (STAGEWISE_MIRROR).
"""

import argparse
import json
import time

from workspace import cold_copy, run, write_params

RUNS = {
    "digits": [],
    "mnist-cnn": ["data=mnist"],
    "mnist-mlp": ["data=mnist", "model=mlp"],
    "fashion-cnn": ["data=fashion_mnist"],
    "fashion-resnet": ["data=fashion_mnist", "model=resnet"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(RUNS)}; all when none is given")
    for name in parser.parse_args().names or RUNS:
        with cold_copy() as root:
            write_params(root, RUNS[name])
            start = time.time()
            run(root, "dvc", "repro")
            seconds = time.time() - start
            metrics = json.loads((root / "reports/evaluation/metrics.json").read_text())
            candidates = json.loads((root / "reports/compression/candidates.json").read_text())
            history = (root / "models/trained/history.csv").read_text().splitlines()
        chosen = candidates["candidates"][candidates["chosen"]]
        print(
            f"{name:15} {' '.join(RUNS[name]) or 'the default':32} {len(history) - 1:3} epochs  "
            f"test {metrics['accuracy']:.2%} ({metrics['accuracy_low']:.2%} to {metrics['accuracy_high']:.2%})  "
            f"{candidates['chosen']}: {chosen['bytes'] / 1000:.0f} kB, {1 / chosen['size_ratio']:.1f} x smaller, "
            f"{0 - chosen['accuracy_drop'] * 100:+.2f} points  all stages {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
