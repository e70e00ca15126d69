"""A disk that is full, read-only or gone, at every stage: one message, nothing half-written, and the next run works."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import Disk, small_disk
from runs import fresh_workspace, lock, md5, outputs, ran_workspace, stages_run
from workspaces import call

STAGES = {
    "ingest": ["data/raw"],
    "preprocess": ["data/processed", "reports/data"],
    "train": ["models/trained"],
    "evaluate": ["reports/evaluation"],
    "compress": ["models/compressed", "reports/compression"],
    "package": ["dist/my-model-0.1.0", "dist/my-model-0.1.0-files"],
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk with a workspace in which every stage has run."""
    base = tmp_path_factory.mktemp("disk")
    for disk in small_disk(base / "small" / "project", 60):
        shutil.copytree(ran_workspace(tmp_path_factory), disk.root, symlinks=True, dirs_exist_ok=True)
        yield disk


def written(disk: Disk, name: str) -> dict[str, str]:
    """MD5 of each file of a stage's outputs; measured times and what DVC adds for git left out."""
    files = (file for out in STAGES[name] for file in (disk.root / out).rglob("*") if file.is_file())
    kept = (file for file in files if file.name not in {"latency.json", ".gitignore"})
    return {str(file.relative_to(disk.root)): md5(file) for file in kept}


def told_once(done: subprocess.CompletedProcess[str], name: str) -> str:
    """The one message of a stage that failed."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.startswith(f"{name}: ")
    assert done.stderr.count("next:") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("name", "left"),
    [
        *(("ingest", "none"), ("package", "none"), ("ingest", "half"), ("train", "half"), ("package", "half")),
        *(
            pytest.param(name, "half", marks=pytest.mark.long)
            for name in STAGES
            if name not in ("ingest", "train", "package")
        ),
    ],
)
def test_a_full_disk_at_a_stage(disk: Disk, name: str, left: str) -> None:
    before = written(disk, name)
    size = sum((disk.root / file).stat().st_size for file in before)
    try:
        disk.fill(0 if left == "none" else size // 2 // 4096 * 4096)
        message = told_once(disk.stage(name), name)
        assert "the disk is full" in message or "but the disk has only" in message
        assert "where:" in message and "free" in message and "run the same command again" in message
    finally:
        (disk.root / "fill").unlink()
    assert written(disk, name) == before
    staging = disk.root / ".stagewise" / "staging"
    assert not staging.exists() or not list(staging.iterdir())
    if left == "half":
        assert disk.stage(name).returncode == 0
        assert written(disk, name) == before


@pytest.mark.parametrize("name", ["ingest", "train", "package"])
def test_a_read_only_disk_at_a_stage(disk: Disk, name: str) -> None:
    before = written(disk, name)
    disk.mount("ro")
    try:
        message = told_once(disk.stage(name), name)
    finally:
        disk.mount("rw")
    assert "may not be written or read" in message and "mounted read-only" in message
    assert written(disk, name) == before


def test_a_read_only_disk_under_a_whole_run(disk: Disk) -> None:
    disk.mount("ro")
    try:
        done = disk.run(disk.place, "stagewise", "repro")
    finally:
        disk.mount("rw")
    assert told_once(done, "stagewise repro").count("mounted read-only") == 1


def test_a_full_disk_under_a_whole_run(disk: Disk) -> None:
    recorded = lock(disk.root)
    shutil.rmtree(disk.root / "data" / "raw")
    disk.fill(0)
    failed = disk.run(disk.place, "stagewise", "repro")
    (disk.root / "fill").unlink()
    assert failed.returncode not in (0, 1)
    assert "the disk is full" in failed.stderr and "Traceback" not in failed.stderr
    assert lock(disk.root) == recorded
    done = disk.run(disk.place, "stagewise", "repro")
    assert done.returncode == 0, done.stderr
    assert lock(disk.root) == recorded and md5(disk.root / "data/raw") == outputs(disk.root)["data/raw"]


def test_a_cache_on_a_full_disk(tmp_path: Path) -> None:
    """DVC would exit with 0 and a lock that names objects which are nowhere."""
    root = fresh_workspace(tmp_path / "project")
    for disk in small_disk(root / ".dvc" / "cache", 1):
        (disk.root / "files").mkdir()
        disk.fill(16384)
        environment = {"DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
        failed = disk.run(root, "stagewise", "repro", "ingest", **environment)
        assert failed.returncode == 255, failed.stdout + failed.stderr
        for words in (
            "data/raw is not whole in the cache, and is not recorded",
            "bytes are free there",
            "data/raw is missing",
            "then: stagewise repro",
        ):
            assert words in failed.stderr
        assert set(lock(root)) == {"configure"}
        (disk.root / "fill").unlink()
        done = disk.run(root, "stagewise", "repro", "ingest", **environment)
        assert done.returncode == 0, done.stderr
        assert stages_run(done.stdout) == ["ingest"] and outputs(root)["data/raw"] == md5(root / "data/raw")


def test_an_output_on_another_disk_says_what_to_do(tmp_path: Path) -> None:
    root = fresh_workspace(tmp_path / "project")
    call(root, "stagewise", "configure")
    for disk in small_disk(root / "data" / "other", 1):
        (root / "data" / "raw").symlink_to("other/raw")
        (root / "data").joinpath("raw").unlink()
        inside = Disk(disk.process, root)
        inside.run(root, "mount", "--bind", str(root / "data" / "other"), str(root / ".stagewise"))
        message = told_once(inside.stage("ingest"), "ingest")
        assert "lie on different disks" in message and "keep .stagewise/ on the disk of the outputs" in message
