"""The frame of a running stage, in real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from stagewise.config.machine import explain
from stagewise.errors import DataError

SCRIPT = """
import sys, time
from pathlib import Path
from stagewise.config.stage import run_stage

def main(run):
    with run.outputs("out/a") as (folder,):
        (folder / "file.txt").write_text("new")
        Path("started").touch()
        {body}

if __name__ == "__main__":
    run_stage("demo", main)
"""

LATE = """
import os, runpy, time
from pathlib import Path

while os.getppid() == int(os.environ["PARENT"]):
    time.sleep(0.01)
try:
    runpy.run_path("stages/demo.py", run_name="__main__")
except SystemExit as end:
    Path("ending").write_text(str(end.code))
    Path("ending").rename("ended")
"""
"""A stage that begins once its parent has gone."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    (tmp_path / "src" / "demo").mkdir(parents=True)
    (tmp_path / "build").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_text("a")
    (tmp_path / "dvc.yaml").write_text("stages: {demo: {cmd: x, deps: [data]}}\n")
    return tmp_path


def prepare(root: Path, body: str) -> None:
    from stagewise.config.keys import code_and_libraries

    (root / "stages" / "demo.py").write_text(SCRIPT.format(body=body))
    entry = {"config": {"seed": 1}, **code_and_libraries("demo", {}, root)}
    (root / "build" / "demo.yaml").write_text(yaml.safe_dump(entry))


def start(root: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "stages/demo.py"],
        cwd=root,
        env={**os.environ, "DVC_STAGE": "demo", "DVC_ROOT": str(root), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


def test_outputs_replace_the_old_ones_whole(root: Path) -> None:
    prepare(root, "pass")
    (root / "out" / "a").mkdir(parents=True)
    (root / "out" / "a" / "old.txt").write_text("old")
    assert finish(start(root)) == (0, "")
    assert [file.name for file in (root / "out" / "a").iterdir()] == ["file.txt"]
    assert not any((root / ".stagewise" / "staging").iterdir())


def test_a_failing_stage_leaves_nothing_and_the_old_output(root: Path) -> None:
    prepare(
        root, "from stagewise.errors import DataError; raise DataError('no rows', where='data/raw', fix='add some')"
    )
    (root / "out" / "a").mkdir(parents=True)
    code, errors = finish(start(root))
    assert (code, errors) == (2, "demo: no rows\n  where: data/raw\n  next:  add some\n")
    assert list((root / "out" / "a").iterdir()) == []


@pytest.mark.parametrize(
    ("edit", "fragment"),
    [
        ("Path('stages/demo.py').write_text(Path('stages/demo.py').read_text() + 'x = 1\\n')", "stages/demo.py is now"),
        (
            "Path('build/demo.yaml').write_text(Path('build/demo.yaml').read_text().replace('seed: 1', 'seed: 2'))",
            "was rewritten",
        ),
        ("Path('data/a.bin').write_text('another')", "data/a.bin changed"),
        ("Path('data/b.bin').write_text('new')", "data/b.bin appeared"),
        ("Path('data/a.bin').unlink()", "data/a.bin went"),
    ],
)
def test_an_edit_while_the_stage_runs_throws_its_outputs_away(root: Path, edit: str, fragment: str) -> None:
    prepare(root, edit)
    code, errors = finish(start(root))
    assert code == 2
    assert "was edited while it ran" in errors
    assert fragment in errors
    assert not (root / "out").exists()


def test_code_that_is_not_the_recorded_one_is_refused(root: Path) -> None:
    prepare(root, "pass")
    with (root / "stages" / "demo.py").open("a") as file:
        file.write("x = 1\n")
    code, errors = finish(start(root))
    assert code == 2
    assert "is not what build/demo.yaml says" in errors
    assert not (root / "started").exists()


def test_a_second_run_in_the_same_folder_is_refused(root: Path) -> None:
    prepare(root, "time.sleep(60)")
    first = start(root)
    try:
        wait_for(root / "started")
        code, errors = finish(start(root))
        assert code == 2
        assert "already runs in this folder" in errors
        assert f"process {first.pid}" in errors
    finally:
        first.kill()
        finish(first)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is needed")
@pytest.mark.parametrize("command", ["exec python stages/demo.py", "python stages/demo.py; exit $?"])
def test_a_stage_dies_with_its_dvc(root: Path, command: str) -> None:
    """Whether the shell in between gives its place to the command or not."""
    prepare(root, "Path('pid').write_text(str(__import__('os').getpid())); time.sleep(60)")
    (root / ".dvc" / "tmp").mkdir(parents=True)
    (root / "dvc.py").write_text(
        "import json, os, subprocess\n"
        "entry = {'pid': os.getpid(), 'cmd': 'dvc repro'}\n"
        "open('.dvc/tmp/rwlock', 'w').write(json.dumps({'write': {'out/a': entry}, 'read': {}}))\n"
        f"subprocess.run(['sh', '-c', {command!r}])\n"
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    parent = subprocess.Popen(
        [sys.executable, "dvc.py"],
        cwd=root,
        env={**os.environ, "PATH": path, "DVC_STAGE": "demo", "DVC_ROOT": str(root)},
    )
    wait_for(root / "pid")
    parent.send_signal(signal.SIGKILL)
    parent.wait(timeout=30)
    stage = Path(f"/proc/{(root / 'pid').read_text()}")
    for _ in range(200):
        if not stage.exists() or "zombie" in (stage / "status").read_text():
            return
        time.sleep(0.05)
    raise AssertionError("the stage outlived its parent")


def test_only_the_first_process_keeps_outputs(root: Path) -> None:
    prepare(root, "pass")
    assert finish(start(root, LOCAL_RANK="1"))[0] == 0
    assert not (root / "out").exists()


@pytest.mark.parametrize(
    ("body", "fragments"),
    [
        ("raise OSError(28, 'No space left on device', str(folder / 'x'))", ["the disk is full", "bytes are free"]),
        ("bytearray(1 << 60)", ["the memory does not suffice", "next:"]),
        ("open('data/none.bin')", ["data/none.bin is not there", "next:  dvc repro"]),
        ("__import__('shutil').rmtree('.stagewise')", [".stagewise/staging/demo/0 is not there"]),
        ("__import__('shutil').rmtree('data')", ["data/a.bin went"]),
        ("__import__('shutil').rmtree(Path.cwd())", ["is not there"]),
    ],
)
def test_what_the_machine_refuses_is_one_message(root: Path, body: str, fragments: list[str]) -> None:
    prepare(root, body)
    code, errors = finish(start(root))
    assert code == 2, errors
    assert errors.startswith("demo: ") and "Traceback" not in errors
    for fragment in fragments:
        assert fragment in errors
    assert not (root / "out" / "a").exists() and not (root / ".stagewise" / "staging" / "demo").exists()


def test_a_fault_of_the_code_keeps_its_traceback(root: Path) -> None:
    prepare(root, "{}['DataLoader worker']")
    code, errors = finish(start(root))
    assert code == 1 and "Traceback" in errors and "KeyError" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_stage_whose_dvc_died_between_two_others_ends_at_once(root: Path) -> None:
    """A later run has taken the dead one off DVC's notes."""
    prepare(root, "pass")
    (root / ".dvc" / "tmp").mkdir(parents=True)
    (root / ".dvc" / "tmp" / "rwlock").write_text('{"write": {}, "read": {}}')
    (root / "late.py").write_text(LATE)
    shell = f"PARENT=$$ {sys.executable} late.py &"
    environment = {**os.environ, "DVC_STAGE": "demo", "DVC_ROOT": str(root)}
    subprocess.run(["sh", "-c", shell], cwd=root, env=environment, check=True)
    wait_for(root / "ended")
    assert (root / "ended").read_text() == str(128 + signal.SIGKILL)
    assert not (root / "started").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("dead", [True, False])
def test_a_stage_whose_dvc_died_before_it_began_ends_at_once(root: Path, dead: bool) -> None:
    """Importing its libraries takes a stage seconds, in which it does not notice yet."""
    prepare(root, "pass")
    (root / ".dvc" / "tmp").mkdir(parents=True)
    process = 2**22 + 1 if dead else os.getpid()  # no process has a greater number than 2**22
    entry = {"pid": process, "cmd": "dvc repro"}
    (root / ".dvc" / "tmp" / "rwlock").write_text(json.dumps({"write": {"out/a": entry}, "read": {}}))
    code, _ = finish(start(root))
    assert code == (128 + signal.SIGKILL if dead else 0)
    assert (root / "started").exists() is not dead


@pytest.mark.parametrize(
    ("error", "what", "where"),
    [
        (OSError(28, "No space left on device", "a/b.bin"), "the disk is full", ""),
        (OSError(122, "Disk quota exceeded"), "the disk is full", ""),
        (
            OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device"),
            "the disk is full",
            "",
        ),
        (
            RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
            "the disk is full",
            "",
        ),
        (RuntimeError("unable to write to file </torch_1_2_3>: No space left on device (28)"), "the disk is full", ""),
        (OSError(30, "Read-only file system", "a/b.bin"), "a file or folder may not be written or read", "a/b.bin"),
        (PermissionError(13, "Permission denied", "a/b.bin"), "a file or folder may not be written or read", "a/b.bin"),
        (
            RuntimeError('I/O error: Read-only file system (os error 30) at path "a/.tmp"'),
            "a file or folder may not be written or read",
            "a/.tmp",
        ),
        (FileNotFoundError(2, "Failed to open local file 'a/b.arrow'. Detail: x"), "a/b.arrow is not there", None),
        (
            OSError(18, "Invalid cross-device link", "a", None, "b"),
            "an output and .stagewise/ lie on different disks",
            "b",
        ),
        (MemoryError(), "the memory does not suffice", None),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "the memory does not suffice",
            None,
        ),
        (RuntimeError("Caught _ArrayMemoryError in DataLoader worker process 0."), "the memory does not suffice", None),
        (
            RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "),
            "a process that loads data was killed",
            None,
        ),
        (
            RuntimeError("DataLoader worker (pid(s) 12) exited unexpectedly"),
            "a process that loads data was killed",
            None,
        ),
    ],
)
def test_each_library_says_it_in_its_own_words(tmp_path: Path, error: Exception, what: str, where: str | None) -> None:
    told = explain(error, tmp_path)
    assert told is not None and told.what == what and told.fix
    assert told.where == where if where != "" else told.where is not None


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        RuntimeError("Caught KeyError in DataLoader worker process 0."),
        OSError(99, "Cannot assign requested address"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"),  # with room on the disk
        DataError("there is no such file", why="No such file or directory"),
    ],
)
def test_what_the_machine_did_not_refuse(tmp_path: Path, error: Exception) -> None:
    assert explain(error, tmp_path) is None


@pytest.mark.parametrize("refusal", [EOFError(), ConnectionResetError(104, "reset"), FileNotFoundError(2, "no socket")])
def test_a_loader_process_that_dies_while_it_hands_rows_on(tmp_path: Path, refusal: Exception) -> None:
    """torch takes its memory over by a socket, and sees no more than that it broke."""
    place = compile("raise refusal", "/lib/multiprocessing/resource_sharer.py", "exec")
    with pytest.raises(type(refusal)) as caught:
        exec(place, {"refusal": refusal})
    told = explain(caught.value, tmp_path)
    assert told is not None and told.what == "a process that loads data was killed"


def test_a_full_disk_is_told_whatever_was_made_of_it(tmp_path: Path) -> None:
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as cause:
            raise DataError("the archive is damaged") from cause
    except DataError as error:
        told = explain(error, tmp_path)
    assert told is not None and told.what == "the disk is full"
