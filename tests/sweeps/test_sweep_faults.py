"""What becomes of a sweep when something of it is killed, when the disk is full, and when there are two at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import small_disk
from workspaces import QUICK_PARAMS, call, variables, workspace

from stagewise.sweeps.record import FOLDER, Trial, read_sweep, read_trial, trials_of

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]

EPOCHS = 150
SLOW = [f"trainer.max_epochs={EPOCHS}", "trainer.checkpoint_seconds=0.5"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in which nothing has run."""
    root = workspace(tmp_path / "project")
    (root / "params.yaml").write_text(QUICK_PARAMS)
    (root / "dvc.lock").unlink(missing_ok=True)
    call(root, "git", "add", "--all")
    call(root, "git", "commit", "--quiet", "--message", "small")
    return root


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["stagewise", "sweep", *arguments],
        cwd=root,
        env=variables(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def trials(root: Path, name: str = "sweep") -> list[Trial]:
    sweep = read_sweep(root, name)
    return list(trials_of(root, sweep)) if sweep else []


def wait_for_training(root: Path, run: subprocess.Popen[str], count: int = 1) -> None:
    """Wait until some trainings are under way."""
    for _ in range(1200):
        if sum(trial.stage == "train" and epochs(trial) > 20 for trial in trials(root)) >= count:
            return
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)
    raise AssertionError(trials(root))


def epochs(trial: Trial) -> int:
    return len(next(iter(trial.curves.values()), []))


def processes(root: Path, word: str = "") -> Iterator[int]:
    """Processes that work below ``root`` and whose command line has the word."""
    for entry in Path("/proc").iterdir():
        try:
            if (entry / "cwd").readlink().is_relative_to(root) and word in (entry / "cmdline").read_bytes().decode():
                yield int(entry.name)
        except OSError:
            continue


def wait_until_alone(root: Path) -> None:
    for _ in range(600):
        if not list(processes(root)):
            return
        time.sleep(0.05)
    raise AssertionError(f"still there: {list(processes(root))}")


def weights(root: Path, trial: Trial) -> str:
    shown = call(root, "git", "show", f"{ref(root, trial)}:dvc.lock").stdout
    return next(line for line in shown.split("path: models/trained")[1].splitlines() if "md5:" in line)


def ref(root: Path, trial: Trial) -> str:
    refs = call(root, "git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    return next(name for name in refs if name.endswith(trial.experiment))


def check_untouched(root: Path) -> None:
    assert call(root, "git", "status", "--porcelain").stdout == ""
    assert call(root, "git", "branch", "--list").stdout.count("\n") == 1
    assert call(root, "git", "stash", "list").stdout == ""
    assert not [path for path in (root / FOLDER / "work").iterdir() if path.is_dir()]


def test_a_killed_sweep_goes_on_where_it_was(root: Path, tmp_path: Path) -> None:
    space = ["-m", "optimizer.lr=0.001,0.002", *SLOW, "--jobs", "2"]
    run = start(root, *space)
    wait_for_training(root, run)
    run.kill()
    run.communicate()
    wait_until_alone(root)
    assert {trial.state for trial in trials(root)} <= {"stopped", "waiting"}
    assert "stopped" in call(root, "stagewise", "sweep", "show").stdout
    call(root, "stagewise", "sweep", *space)
    found = trials(root)
    assert [trial.state for trial in found] == ["finished"] * 2
    logs = [(root / trial.log).read_text() for trial in found]
    assert any("goes on" in text for text in logs), logs
    check_untouched(root)
    undisturbed = workspace(tmp_path / "undisturbed")
    (undisturbed / "params.yaml").write_text(QUICK_PARAMS)
    call(undisturbed, "stagewise", "configure", "optimizer.lr=0.001", *SLOW)
    call(undisturbed, "python", "stages/ingest.py", DVC_STAGE="ingest")
    for stage in ("preprocess", "train"):
        call(undisturbed, "python", f"stages/{stage}.py", DVC_STAGE=stage)
    call(undisturbed, "git", "init", "--quiet")
    trial = next(trial for trial in found if "optimizer.lr=0.001" in trial.overrides)
    call(root, "stagewise", "sweep", "apply", trial.id)
    name = "models/trained/model.safetensors"
    assert (root / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_killed_trial_fails_alone_and_goes_on_when_asked_again(root: Path) -> None:
    space = ["-m", "optimizer.lr=0.001,0.002", *SLOW, "--jobs", "2"]
    run = start(root, *space)
    wait_for_training(root, run)
    training = max(trials(root), key=epochs).id
    os.kill(next(processes(root, f"sweep\0{training}")), signal.SIGKILL)
    printed, _ = run.communicate(timeout=300)
    assert run.returncode == 1
    states = {trial.id: trial.state for trial in trials(root)}
    assert sorted(states.values()) == ["failed", "finished"] and states[training] == "failed"
    failed = read_trial(root, training)
    assert failed and "killed by SIGKILL" in failed.error and "killed by SIGKILL" in printed
    check_untouched(root)
    call(root, "stagewise", "sweep", *space)
    assert {trial.state for trial in trials(root)} == {"finished"}
    again = read_trial(root, training)
    assert again and "goes on" in (root / again.log).read_text()


def test_the_sweep_survives_a_killed_worker(root: Path) -> None:
    run = start(root, "-m", "optimizer.lr=0.001,0.002", *SLOW, "--jobs", "2")
    wait_for_training(root, run)
    parents = {int(Path(f"/proc/{process}/stat").read_text().split()[3]) for process in processes(root, "sweeps.trial")}
    os.kill(min(parents), signal.SIGKILL)
    printed, _ = run.communicate(timeout=300)
    assert run.returncode == 0, printed
    assert "a worker of the sweep was killed" in printed
    assert {trial.state for trial in trials(root)} == {"finished"}
    wait_until_alone(root)
    check_untouched(root)


def test_ctrl_c_ends_a_sweep_which_then_goes_on(root: Path) -> None:
    space = ["-m", "optimizer.lr=0.001", *SLOW]
    run = start(root, *space)
    wait_for_training(root, run)
    os.killpg(run.pid, signal.SIGINT)
    printed, _ = run.communicate(timeout=120)
    assert run.returncode == 130, printed
    assert "Traceback" not in printed
    assert "goes on" in printed
    wait_until_alone(root)
    call(root, "stagewise", "sweep", *space)
    assert {trial.state for trial in trials(root)} == {"finished"}
    check_untouched(root)


def test_two_sweeps_at_once_share_their_stages_and_one_name_runs_once(root: Path) -> None:
    first = start(root, "--name", "a", "-m", "optimizer.lr=0.001,0.002")
    other = start(root, "--name", "b", "-m", "optimizer.lr=0.002,0.003")
    time.sleep(3)
    refused = call(root, "stagewise", "sweep", "--name", "a", "-m", "optimizer.lr=0.5", code=2)
    assert "the sweep a already runs in this folder" in refused.stderr
    for run in (first, other):
        printed, _ = run.communicate(timeout=300)
        assert run.returncode == 0, printed
    every = {trial.id: trial for name in ("a", "b") for trial in trials(root, name)}
    assert len(every) == 3
    assert [sum(trial.stages[stage] == "ran" for trial in every.values()) for stage in ("ingest", "train")] == [1, 3]
    check_untouched(root)


def test_a_full_disk_fails_trials_with_one_message_and_then_all_goes_on(root: Path) -> None:
    for disk in small_disk(root.parent / "small" / "project", 120):
        subprocess.run(["cp", "-a", f"{root}/.", str(disk.root)], check=True)
        space = ["stagewise", "sweep", "-m", "optimizer.lr=0.001,0.002", "--jobs", "1"]
        disk.fill(3_000_000)
        done = disk.run(disk.place, *space)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "full" in done.stdout + done.stderr
        (disk.root / "fill").unlink()
        done = disk.run(disk.place, *space)
        assert done.returncode == 0, done.stdout + done.stderr
        assert {trial.state for trial in trials(disk.root)} == {"finished"}
