"""A cache object that rotted is noticed before it is used, and one that was lost before it is recorded."""

import json
import shutil
from pathlib import Path

import pytest
from runs import cached, copy_of, flip, lock, md5, outputs, ran_workspace, stages_run
from workspaces import call


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran_workspace(tmp_path_factory)


@pytest.fixture
def root(ran: Path, tmp_path: Path) -> Path:
    return copy_of(ran, tmp_path / "project")


def rot(root: Path, out: str, name: str | None) -> Path:
    """Flip a bit of an output's object: of the folder's list, or of the file ``name`` inside."""
    listing = cached(root, outputs(root)[out])
    if name is None:
        flip(listing)
        return listing
    digest = next(entry["md5"] for entry in json.loads(listing.read_text()) if entry["relpath"] == name)
    flip(cached(root, digest))
    return cached(root, digest)


@pytest.mark.parametrize(
    ("out", "name", "stage"),
    [
        ("data/raw", "digits.csv.gz", "ingest"),
        ("models/trained", None, "train"),
        pytest.param("reports/compression/frontier.csv", None, "compress", marks=pytest.mark.long),
    ],
)
def test_a_rotten_object_is_set_aside_and_its_stage_runs_again(
    root: Path, out: str, name: str | None, stage: str
) -> None:
    before = lock(root)
    rotten = rot(root, out, name)
    shutil.rmtree(root / out) if (root / out).is_dir() else (root / out).unlink()
    done = call(root, "stagewise", "repro")
    line = next(line for line in done.stdout.splitlines() if "is damaged in the cache" in line)
    aside = rotten.with_name(f"{rotten.name}.damaged")
    assert line.startswith(f"{out}/{name} " if name else f"{out} ") and line.endswith(", not used")
    assert str(aside.relative_to(root)) in line and aside.is_file()
    assert stages_run(done.stdout) == [stage]
    assert lock(root) == before
    assert md5(root / out) == outputs(root)[out] and md5(rotten) == rotten.parent.name + rotten.name.partition(".")[0]


def test_a_rotten_object_does_not_survive_a_forced_run(root: Path) -> None:
    """DVC copies only what the cache lacks: the whole output would be left without a whole object."""
    rotten = rot(root, "data/raw", "digits.csv.gz")
    done = call(root, "stagewise", "repro", "ingest", "--force", "--single-item")
    assert "data/raw/digits.csv.gz is damaged in the cache" in done.stdout
    assert md5(rotten) == rotten.parent.name + rotten.name


def test_whole_objects_are_restored_and_nothing_is_said(root: Path) -> None:
    before = lock(root)
    shutil.rmtree(root / "models")
    done = call(root, "stagewise", "repro")
    assert stages_run(done.stdout) == [] and "damaged" not in done.stdout + done.stderr
    assert lock(root) == before and md5(root / "models/trained") == outputs(root)["models/trained"]
    assert not list((root / ".dvc/cache").rglob("*.damaged"))
