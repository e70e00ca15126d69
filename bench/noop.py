"""What it costs to find out that nothing is to be done, beside bare DVC on the same tree.

    python bench/noop.py [--rounds N]

Runs the default pipeline once (one epoch, one candidate) in a temporary copy, then in turn, N times each:
`dvc status`, `stagewise repro` (what `make repro` calls), `stagewise plan`, `python -m stagewise configure`, and
an empty Python. Then 200 config files and 300 modules of 80 lines are added, the pipeline runs again, and all is
measured again. 150 of the modules are imported by stages/train.py, so they are in that stage's key; the other
150 are imported by nothing. Reported are medians of wall time; the ratios are what counts on a shared machine.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from workspace import cold_copy, environment, run, write_params

QUICK = ["trainer.max_epochs=1", "compress=fp32"]
CONFIGS, MODULES, IMPORTED = 200, 300, 150
COMMANDS = {
    "python -c pass": ["python", "-c", "pass"],
    "dvc status": ["dvc", "status"],
    "stagewise repro": ["stagewise", "repro"],
    "stagewise plan": ["stagewise", "plan"],
    "stagewise configure": ["python", "-m", "stagewise", "configure"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with cold_copy() as root:
        write_params(root, QUICK)
        settle(root)
        report("as it is", measure(root, rounds))
        grow(root)
        settle(root)
        report(f"with {CONFIGS} more config files and {MODULES} more modules", measure(root, rounds))


def settle(root: Path) -> None:
    """Compile the sources, as `make repro` does, and run the pipeline until nothing is left to do."""
    run(root, sys.executable, "-m", "compileall", "-q", "src")
    run(root, "stagewise", "repro")
    run(root, "stagewise", "repro")


def grow(root: Path) -> None:
    """Add copies of the groups' files as further choices, and of a network as further modules."""
    files = sorted((root / "conf").glob("*/*.yaml"))
    for number in range(CONFIGS):
        file = files[number % len(files)]
        (file.parent / f"{file.stem}_{number}.yaml").write_text(f"# copy {number}\n{file.read_text()}")
    package = root / "src" / "stagewise" / "models"
    network = (package / "cnn.py").read_text()
    for number in range(MODULES):
        (package / f"extra_{number}.py").write_text(f"{network}\nNUMBER = {number}\n")
    lines = [f"import stagewise.models.extra_{number}" for number in range(IMPORTED)]
    (package / "extras.py").write_text('"""Every extra network that a stage imports."""\n\n' + "\n".join(lines) + "\n")
    stage = root / "stages" / "train.py"
    anchor = "from stagewise.training.train import train\n"
    if anchor not in stage.read_text():
        sys.exit("stages/train.py no longer has the import that this benchmark extends")
    stage.write_text(stage.read_text().replace(anchor, f"import stagewise.models.extras\n{anchor}"))


def measure(root: Path, rounds: int) -> dict[str, float]:
    """Return the median seconds of each command, run in turn with the others."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds + 1):  # the first round warms the file cache
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, cwd=root, env=environment(root), check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def report(title: str, medians: dict[str, float]) -> None:
    status, python = medians["dvc status"], medians["python -c pass"]
    print(title)
    for name, value in medians.items():
        print(f"  {name:20} {value:6.3f} s   {value / status:5.2f} x dvc status   {value / python:6.1f} x python")
    print(flush=True)


if __name__ == "__main__":
    main()
