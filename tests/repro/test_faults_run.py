"""Two runs at once, too little memory, a clock that jumps: what a whole run makes of them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from runs import copy_of, fresh_workspace, lock, ran_workspace, stages_run
from workspaces import call

DAY = 86_400

SLEEPING = """
def main(run):
    Path("started").touch()
    time.sleep(600)
"""

KILLED = """
def main(run):
    os.kill(os.getpid(), 9)
"""

JUMPING_CLOCK = """
import itertools, time

def jump(name, day):
    real, days = getattr(time, name), itertools.cycle((day, -day, 0))
    setattr(time, name, lambda: real() + next(days))

jump("time", 86_400)
jump("time_ns", 86_400 * 10**9)
"""
"""Each look at the clock is a day ahead, a day behind or right."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran_workspace(tmp_path_factory)


def with_ingest(root: Path, body: str) -> Path:
    """A fresh workspace whose first stage does something else."""
    fresh_workspace(root)
    (root / "stages" / "ingest.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom stagewise.config.stage import run_stage\n"
        f"{body}\nrun_stage('ingest', main)\n"
    )
    return root


@contextmanager
def started(root: Path, *command: str) -> Iterator[int]:
    """Run a command in the background until its stage has begun; yield its process."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(root / "src"),
        "DVC_SITE_CACHE_DIR": str(root.parent / f"{root.name}-site"),
    }
    process = subprocess.Popen(command, cwd=root, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        while not (root / "started").exists():
            assert process.poll() is None, "the run ended early"
            time.sleep(0.05)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("first", ["stagewise", "dvc"])
def test_a_second_run_says_so_and_leaves(tmp_path: Path, first: str) -> None:
    root = with_ingest(tmp_path / "project", SLEEPING)
    with started(root, first, "repro") as process:
        done = call(root, "stagewise", "repro", code=2)
        assert done.stdout == ""
        assert done.stderr == (
            "stagewise repro: the pipeline already runs in this folder\n"
            f"  where: process {process}\n  next:  wait for it to end, or stop it\n"
        )


def test_a_stage_by_hand_leaves_a_run_in_peace(tmp_path: Path) -> None:
    root = with_ingest(tmp_path / "project", SLEEPING)
    with started(root, "dvc", "repro") as process:
        build = {file.name: file.read_bytes() for file in (root / "build").iterdir()}
        other = call(root, sys.executable, "stages/package.py", "version=9.9.9", code=2)
        assert other.stderr.startswith(f"package: the pipeline already runs in this folder\n  where: process {process}")
        same = call(root, sys.executable, "stages/ingest.py", "seed=7", code=2)
        assert same.stderr.startswith("ingest: the stage ingest already runs in this folder\n")
        assert build == {file.name: file.read_bytes() for file in (root / "build").iterdir()}


def test_a_stage_that_the_system_kills(tmp_path: Path) -> None:
    root = with_ingest(tmp_path / "project", KILLED)
    done = call(root, "stagewise", "repro", "ingest", code=255)
    for words in ("the stage ingest was killed; nothing of it was recorded", "no memory left", "next:"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr and set(lock(root)) == {"configure"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_loader_process_that_the_system_kills(ran: Path, tmp_path: Path) -> None:
    root = copy_of(ran, tmp_path / "project")
    command = [sys.executable, "stages/train.py", "trainer.workers=1", "trainer.max_epochs=10000"]
    process = subprocess.Popen(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root / "src")}, stderr=subprocess.PIPE, text=True
    )
    while not (workers := loaders(process.pid)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2, errors
    assert errors.startswith("train: a process that loads data was killed\n  why:   DataLoader worker (pid")
    assert "trainer.workers" in errors and "Traceback" not in errors
    assert not list((root / ".stagewise" / "staging").iterdir())


def loaders(process: int) -> list[int]:
    """Children of a process that run what it runs: its forks."""
    command = Path(f"/proc/{process}/cmdline").read_bytes()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(process) and (entry / "cmdline").read_bytes() == command:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_files_from_tomorrow_run_nothing(ran: Path, tmp_path: Path) -> None:
    root = copy_of(ran, tmp_path / "project")
    call(root, "stagewise", "repro")
    for file in root.rglob("*"):
        if not file.is_symlink():
            os.utime(file, (time.time() + DAY, time.time() + DAY))
    assert stages_run(call(root, "stagewise", "repro").stdout) == []
    assert lock(root) == lock(ran)


def test_an_edit_from_yesterday_is_not_missed(ran: Path, tmp_path: Path) -> None:
    root = copy_of(ran, tmp_path / "project")
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("version: 0.1.0", "version: 0.1.1"))
    os.utime(params, (time.time() - DAY, time.time() - DAY))
    assert stages_run(call(root, "stagewise", "repro").stdout) == ["configure", "package"]


@pytest.mark.long
def test_a_clock_that_jumps_while_stages_run_changes_no_output(ran: Path, tmp_path: Path) -> None:
    root = copy_of(ran, tmp_path / "project")
    (root / "dvc.lock").unlink()
    shutil.rmtree(root / ".dvc" / "cache")
    clock = tmp_path / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(JUMPING_CLOCK)
    environment = {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(clock)])}
    stages = ["configure", "ingest", "preprocess", "train"]
    assert stages_run(call(root, "stagewise", "repro", "train", **environment).stdout) == stages
    assert lock(root) == {stage: lock(ran)[stage] for stage in stages}
    assert stages_run(call(root, "stagewise", "repro", "train", **environment).stdout) == []


def test_what_a_killed_dvc_leaves_is_no_obstacle(ran: Path, tmp_path: Path) -> None:
    """DVC writes its record, its locks and its run-cache in place; a kill at the wrong moment cuts them off."""
    root = copy_of(ran, tmp_path / "project")
    record = root / "dvc.lock"
    text = record.read_text()
    record.write_text(text[: len(text) // 2].rpartition(":")[0])
    (root / ".dvc" / "tmp" / "rwlock").write_text('{"write": {')
    for entry in (root / ".dvc" / "cache" / "runs").glob("*/*/*"):
        entry.unlink()
    call(root, "dvc", "repro", code=255)
    done = call(root, "stagewise", "repro", "preprocess")
    assert "dvc.lock is cut off: set aside as dvc.lock.damaged" in done.stdout
    assert stages_run(done.stdout) == ["configure", "ingest", "preprocess"]
    assert lock(root) == {stage: lock(ran)[stage] for stage in ("configure", "ingest", "preprocess")}
