"""What it costs to start: the imports of every stage, beside a bare `import torch`.

    python bench/startup.py [--rounds N]

Each import runs in a process of its own, in turn with the others, N times. CPU seconds (user + system) are
reported rather than wall time, since they are steadier on a shared machine.
"""

import argparse
import resource
import statistics
import subprocess
import sys

from workspace import ROOT

STAGES = ("ingest", "preprocess", "train", "evaluate", "compress", "package")
HEAVY = (
    "torch",
    "pytorch_lightning",
    "torchmetrics",
    "sklearn",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "hydra",
)
IMPORT_STAGE = "import runpy; runpy.run_path('stages/{}.py', run_name='imported')"
PROBES = {
    "bare python": "pass",
    "import torch": "import torch",
    "import pytorch_lightning": "import pytorch_lightning",
    "configure": "import stagewise.config.resolve",
    **{stage: IMPORT_STAGE.format(stage) for stage in STAGES},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in PROBES}
    for _ in range(rounds + 1):  # the first round warms the file cache
        for name, code in PROBES.items():
            seconds[name].append(cpu_seconds(code))
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    torch = medians["import torch"]
    for name, value in medians.items():
        print(f"{name:26} {value:6.2f} CPU s   {value / torch:5.2f} x import torch{heavy(PROBES[name])}")
    total = sum(medians[name] for name in ("configure", *STAGES))
    print(f"{'sum of the seven stages':26} {total:6.2f} CPU s   {total / torch:5.2f} x import torch")


def cpu_seconds(code: str) -> float:
    """Return the CPU seconds of a fresh Python that runs `code` in the project's folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def heavy(code: str) -> str:
    """Return which of the costly libraries `code` brings in."""
    check = f"{code}\nimport sys; print(*[n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True, capture_output=True, text=True)
    return "   " + ", ".join(done.stdout.split())


if __name__ == "__main__":
    main()
