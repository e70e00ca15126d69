"""What a sweep costs beside DVC's own queue, and beside a whole pipeline for every config.

    python bench/sweep.py [--trials 4] [--jobs 2] [--rounds 1] [--epochs 1] [--only stagewise,queue,pipelines]

N learning rates of a small network on the digits, J at a time with one thread each, in turn:

- `stagewise sweep -m optimizer.lr=...`; then the same command again, then with one value more;
- `dvc exp run --queue -S optimizer.lr=...` and `dvc exp run --run-all`, queueing included;
- `dvc repro` in N copies of the project that share nothing (the copies are made before the clock starts).

Every way starts in a fresh copy with an empty cache and compiled sources, as `make repro` leaves them, and ends with as
many results as configs. Stages are counted as they note it themselves (.stagewise/history.jsonl), in a sweep through
its records; of the queue, whose folders are gone, through the lines of its logs. configure, which is kept in no cache
and runs for every config in every way, is not counted. Reported are medians: seconds of wall time, and CPU seconds of
every process that was started, which are steadier on a shared machine. With each goes the machine's load at its end, of
which J is the benchmark's own: where it is much more, wall time says little. Linux only.

The target is (sum of the distinct stages / J) x 1.15 + 5 s. A trial's record holds times with another trial beside it
and with waiting for it, so they are taken from a run of their own: stage after stage with nothing beside, for up to
three of the configs; those of the others are taken to be as long as the median. A stage's time is what DVC needs to
run it: its start (mostly imports), its work, hashing and caching. The times in the history, which leave out all but
the work, are printed beside.
"""

import argparse
import ctypes
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from workspace import cold_copy, environment, git, run, write_params

from stagewise.config.history import HISTORY
from stagewise.config.resolve import STAGES
from stagewise.sweeps.record import read_sweep, trials_of

QUICK = [
    "threads=1", "augment=none", "model={use: mlp, hidden: [16]}", "optimizer={use: adamw, lr: 0.001}",
    "evaluate={use: default, resamples: 10}", "compress={use: fp32, latency: {repeats: 1}}",
]  # fmt: skip
SHARED = ("ingest", "preprocess")
"""Stages that a learning rate does not enter."""
ALONE = 3
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
SECONDS_PER_CONFIG = 300
"""A command that takes longer is taken to hang: it is killed, and the benchmark ends."""
ONE_BY_ONE = f"""
import json, time
from dvc.repo import Repo
for name in {("configure", *STAGES)}:
    with Repo() as repo:
        began = time.perf_counter()
        ran = repo.reproduce(targets=[name], single_item=True)
        if ran:
            print("\\nTIME", json.dumps([name, time.perf_counter() - began]), flush=True)
"""


class Cost(NamedTuple):
    """Seconds of wall time, CPU seconds, and how many stages were executed in it."""

    seconds: float
    cpu: float
    stages: int


class Distinct(NamedTuple):
    """Sums over the distinct stages of all configs, in seconds: as DVC runs them, and inside the scripts alone."""

    whole: float
    inside: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(WAYS))
    options = parser.parse_args()
    if wrong := set(options.only) - WAYS.keys():
        parser.error(f"--only takes some of {','.join(WAYS)}, not {','.join(sorted(wrong))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what runs is ended too
    ctypes.CDLL(None).prctl(SUBREAPER, 1)  # the workers of DVC's queue become children of this process, and are counted
    costs: dict[str, list[Cost]] = defaultdict(list)
    alone = []
    for number in range(options.rounds):
        for way in options.only[:: -1 if number % 2 else 1]:
            for name, cost in WAYS[way](options.trials, options.jobs, options.epochs).items():
                costs[name].append(cost)
                said = f"{cost.seconds:.1f} s, {cost.cpu:.1f} CPU s, {cost.stages} stages"
                print(f"round {number + 1}: {name}: {said} (load {os.getloadavg()[0]:.1f})", flush=True)
        if "stagewise" in options.only:
            alone.append(distinct_stages(options.trials, options.epochs))
    report(costs, alone, options.trials, options.jobs)


def run_sweep(trials: int, jobs: int, epochs: int) -> dict[str, Cost]:
    """Sweep, sweep again, and sweep over one value more."""
    with project(epochs) as root:

        def sweep(values: int) -> Cost:
            began, before = time.time(), cpu_seconds()
            command = ["stagewise", "sweep", "-m", f"optimizer.lr={rates(values)}", "--jobs", str(jobs)]
            seconds, _ = bounded(root, values, *command)
            cpu = cpu_seconds() - before
            record = read_sweep(root, "sweep")
            done = [] if record is None else list(trials_of(root, record))
            if (found := sum(trial.state == "finished" for trial in done)) != values:
                sys.exit(f"the sweep finished {found} of {values} trials")
            ran = [state for trial in done if trial.started >= began for stage, state in trial.stages.items()
                   if stage != "configure"]  # fmt: skip
            return Cost(seconds, cpu, ran.count("ran"))

        return {"stagewise sweep": sweep(trials), "  again": sweep(trials), "  one value more": sweep(trials + 1)}


def run_queue(trials: int, jobs: int, epochs: int) -> dict[str, Cost]:
    """Queue all configs by one command and have workers run them; killing the idle workers is off the clock."""
    with project(epochs) as root:
        before = cpu_seconds()
        queueing, _ = bounded(root, trials, "dvc", "exp", "run", "--queue", "-S", f"optimizer.lr={rates(trials)}")
        running, printed = bounded(root, trials, "dvc", "exp", "run", "--run-all", "--jobs", str(jobs))
        end_processes(root.parent)
        cpu = cpu_seconds() - before
        names = git(root, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
        found = [name for name in names if re.fullmatch(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/.+", name)]
        if len(found) != trials:
            sys.exit(f"the queue made {len(found)} of {trials} experiments:\n{printed[-3000:]}")
        ran = re.findall(r"^Running stage '(\w+)'", printed, re.MULTILINE)
        return {"dvc exp run --queue": Cost(queueing + running, cpu, sum(ran.count(stage) for stage in STAGES))}


def run_pipelines(trials: int, jobs: int, epochs: int) -> dict[str, Cost]:
    """Run the pipeline of every config in a copy of its own."""
    with ExitStack() as stack:
        roots = [stack.enter_context(project(epochs)) for _ in range(trials)]
        for root, rate in zip(roots, rates(trials).split(","), strict=True):
            write_params(root, [f"optimizer.lr={rate}"])
        began, before = time.perf_counter(), cpu_seconds()
        with ThreadPoolExecutor(jobs) as pool:
            try:
                list(pool.map(lambda root: bounded(root, 1, "dvc", "repro"), roots))
            except BaseException:
                for root in roots:  # else the pool waits for those that run
                    end_processes(root.parent)
                raise
        seconds = time.perf_counter() - began
        cpu = cpu_seconds() - before
        return {"dvc repro, a copy each": Cost(seconds, cpu, sum(len(history(root)) for root in roots))}


WAYS: dict[str, Callable[[int, int, int], dict[str, Cost]]] = {
    "stagewise": run_sweep,
    "queue": run_queue,
    "pipelines": run_pipelines,
}


def distinct_stages(trials: int, epochs: int) -> Distinct:
    """Run the stages of some configs one after another in one copy; return what those of all of them would take."""
    whole: dict[str, list[float]] = defaultdict(list)
    inside: dict[str, list[float]] = defaultdict(list)
    with project(epochs) as root:
        for rate in rates(min(trials, ALONE)).split(","):
            write_params(root, [f"optimizer.lr={rate}"])
            _, printed = bounded(root, 1, sys.executable, "-c", ONE_BY_ONE)
            for line in re.findall(r"^TIME (.+)$", printed, re.MULTILINE):
                stage, seconds = json.loads(line)
                whole[stage].append(seconds)
        for stage, seconds in history(root):
            inside[stage].append(seconds)
    return Distinct(_sum(whole, trials), _sum(inside, trials))


def _sum(seconds: dict[str, list[float]], trials: int) -> float:
    return sum(statistics.median(values) * (1 if stage in SHARED else trials) for stage, values in seconds.items())


def history(root: Path) -> list[tuple[str, float]]:
    """Return stage and seconds of every execution in a copy."""
    entries = map(json.loads, (root / HISTORY).read_text(encoding="utf-8").splitlines())
    return [(entry["stage"], entry["seconds"]) for entry in entries]


def rates(count: int) -> str:
    """Return that many learning rates, as a sweep takes them."""
    return ",".join(f"{0.001 * (number + 1):.3f}" for number in range(count))


@contextmanager
def project(epochs: int) -> Iterator[Path]:
    """Yield a copy with the small config in its commit; whatever still runs in it at the end is killed."""
    try:
        with cold_copy() as root:
            _commit_quick(root, epochs)
            try:
                yield root
            finally:
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # until the folder is deleted
                end_processes(root.parent)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _commit_quick(root: Path, epochs: int) -> None:
    write_params(root, [*QUICK, f"trainer={{use: default, max_epochs: {epochs}, loggers: [], progress: false}}"])
    run(root, sys.executable, "-m", "compileall", "-q", "src")
    for name, value in (("name", "bench"), ("email", "bench@localhost")):
        git(root, "config", f"user.{name}", value)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "small")


def bounded(root: Path, configs: int, *command: str) -> tuple[float, str]:
    """Run a command to its end; return the seconds of wall time and what it printed.

    It prints into a file: the workers of DVC's queue inherit where it prints, and a pipe would be open until they end.
    """
    log = root.parent / "printed"
    began = time.perf_counter()
    with log.open("wb") as printed:
        process = subprocess.Popen(
            command, cwd=root, env=environment(root), stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            code: int | str = process.wait(SECONDS_PER_CONFIG * configs)
        except subprocess.TimeoutExpired:
            code = "no end"
        finally:
            seconds = time.perf_counter() - began
            process.kill()
            process.wait()
    text = log.read_text(encoding="utf-8", errors="replace")
    if code:
        sys.exit(f"{' '.join(command)} failed ({code}) after {seconds:.0f} s:\n{text[-3000:]}")
    return seconds, text


def cpu_seconds() -> float:
    """Return the CPU seconds of all processes that were started, directly or not, and have ended; none may run."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def end_processes(folder: Path) -> None:
    """Kill every process that works inside a folder: workers of the queue outlive who started them."""
    inside = f"{folder.resolve()}{os.sep}"
    for _ in range(100):
        found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _works_in(entry, inside)]
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


def _works_in(process: Path, folder: str) -> bool:
    try:
        return str((process / "cwd").readlink()).startswith(folder)
    except OSError:
        return False


def report(costs: dict[str, list[Cost]], alone: list[Distinct], trials: int, jobs: int) -> None:
    medians = {name: Cost(*map(statistics.median, zip(*found, strict=True))) for name, found in costs.items()}
    ours = medians.get("stagewise sweep")
    print(f"\nlearning rates: {trials}, at a time: {jobs}")
    for name, cost in medians.items():
        ratios = f"{cost.seconds / ours.seconds:6.2f} and {cost.cpu / ours.cpu:.2f} x the sweep" if ours else ""
        print(f"  {name:24}{cost.seconds:7.1f} s{cost.cpu:8.1f} CPU s{cost.stages:5.0f} stages{ratios}")
    if ours and alone:
        whole, inside = (statistics.median(sums) for sums in zip(*alone, strict=True))
        print(f"distinct stages, one at a time: {whole:.1f} s ({inside:.1f} s of them inside the scripts)")
        for name, value in (("target", whole), ("by the scripts alone", inside)):
            goal = value / jobs * 1.15 + 5
            print(f"  {name}: {value:.1f} s / {jobs} x 1.15 + 5 s = {goal:.1f} s; sweep {ours.seconds / goal:.2f} x")


if __name__ == "__main__":
    main()
