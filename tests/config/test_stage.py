"""The frame of a running stage, in real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

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
        env={**os.environ, "DVC_STAGE": "demo", **environment},
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
def test_a_stage_dies_with_its_parent(root: Path) -> None:
    prepare(root, "Path('pid').write_text(str(__import__('os').getpid())); time.sleep(60)")
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, 'stages/demo.py'])"],
        cwd=root,
        env={**os.environ, "DVC_STAGE": "demo"},
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
