"""A record spoiled in one way at a time, reviewed by the real command: each gets its verdict and its findings."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file
from small_project import commit, copy, record, review, small_project
from workspaces import call

IDENTICAL, NUMERICAL, STATISTICAL = "IDENTICAL", "NUMERICALLY EQUIVALENT", "STATISTICALLY EQUIVALENT"
INCONCLUSIVE, DIFFERS, FAILED = "INCONCLUSIVE", "DIFFERS", "FAILED"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_project(tmp_path_factory.mktemp("honest") / "project")


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text()
    assert old in text, name
    (root / name).write_text(text.replace(old, new, 1))


def nothing(_: Path) -> None:
    """An honest repeat."""


def metric_by_hand(root: Path) -> None:
    metrics = json.loads((root / "reports/metrics.json").read_text())
    (root / "reports/metrics.json").write_text(json.dumps(metrics | {"accuracy": metrics["accuracy"] + 0.02}))
    commit(root)


def metric_by_hand_and_recorded(root: Path) -> None:
    metric_by_hand(root)
    call(root, "dvc", "commit", "--force", "evaluate")
    commit(root)


def fake_model(root: Path) -> None:
    """Weights that no training gave, taken into dvc.lock."""
    file = root / "models/small/model.safetensors"
    save_file({"weights": load_file(file)["weights"] * np.array([1.0, -0.6])}, file)
    call(root, "dvc", "commit", "--force", "train")
    commit(root)


def fake_model_and_its_answers(root: Path) -> None:
    """The same, with an honest evaluation of the faked weights."""
    fake_model(root)
    call(root, "dvc", "repro", "--single-item", "--force", "evaluate")
    commit(root)


def another_seed(root: Path) -> None:
    """Recorded with a seed that is not the committed one."""
    edit(root, "params.yaml", "seed: 0", "seed: 3")
    call(root, "dvc", "repro")
    edit(root, "params.yaml", "seed: 3", "seed: 0")
    call(root, "stagewise", "configure")
    call(root, "dvc", "commit", "--force")
    commit(root)


def another_seed_with_a_narrow_margin(root: Path) -> None:
    """As wide as the difference, so that these rows cannot tell."""
    edit(root, "params.yaml", "margin: 0.05", "margin: 0.03")
    another_seed(root)


def slightly_other_weights(root: Path) -> None:
    """As another number of threads would give them."""
    file = root / "models/small/model.safetensors"
    save_file({"weights": load_file(file)["weights"] * (1 + 1e-7)}, file)
    call(root, "dvc", "commit", "--force", "train")
    commit(root)


def flipped_byte(root: Path) -> None:
    """In the object of the weights, without touching anything else."""
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    digest = lock["stages"]["train"]["outs"][0]["md5"]
    cache = root / ".dvc/cache/files/md5"
    listed = json.loads((cache / digest[:2] / digest[2:]).read_text())
    target = cache / listed[0]["md5"][:2] / listed[0]["md5"][2:]
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    times = target.stat()
    target.chmod(0o644)
    target.write_bytes(content)
    target.chmod(times.st_mode)
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))


def lost_cache(root: Path) -> None:
    shutil.rmtree(root / ".dvc/cache")


def data_changed(root: Path) -> None:
    """The data moved on, the record did not."""
    lines = (root / "points.csv").read_text().splitlines()
    (root / "points.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    commit(root)


def nondeterministic(root: Path) -> None:
    """In the last digits only, so that it is the repetition that tells."""
    edit(
        root, "small/train.py", "losses = []", "losses, weights = [], weights + 1e-9 * np.random.default_rng().normal()"
    )
    record(root)


def other_library(root: Path) -> None:
    """Recorded while another version of a library was installed."""
    folder = root.parent / "libraries" / "pillow-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: pillow\nVersion: 1.0\n")
    call(root, "stagewise", "configure", PYTHONPATH=f"{root / 'src'}:{folder.parent}")
    call(root, "dvc", "commit", "--force")
    commit(root)


def failing(root: Path) -> None:
    edit(root, "small/train.py", "losses = []", "raise SystemExit('out of luck')")
    call(root, "dvc", "commit", "--force")
    commit(root)


def undeclared_and_wrong(root: Path) -> None:
    """A file and an address that no config names, and a figure that nothing records: the result repeats all the same.

    The datagram is to a documentation address; nothing is sent anywhere that answers.
    """
    (root / "secret.txt").write_text("1")
    edit(root, "small/train.py", "losses = []", "losses = [open('secret.txt').read()]")
    lines = "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))\n"
    edit(root, "small/evaluate.py", "import json\n", f"import json\n{lines}")
    (root / "README.md").write_text("Accuracy 99.9 %<!-- metric: accuracy --> of 1,000<!-- metric: rows --> rows.\n")
    record(root)
    edit(root, "points.csv", "a,b,target\n", "a,b,target\n0,0,1\n")


def untracked_input(root: Path) -> None:
    call(root, "git", "rm", "--quiet", "--cached", "points.csv")
    (root / ".gitignore").write_text((root / ".gitignore").read_text() + "/points.csv\n")
    commit(root)


def tracked_by_dvc(root: Path) -> None:
    """Data too large for git: the review takes it out of the cache."""
    call(root, "git", "rm", "--quiet", "--cached", "points.csv")
    call(root, "dvc", "add", "points.csv")
    record(root)


Case = tuple[Callable[[Path], None], int, dict[str, str], set[str]]

CASES: dict[str, Case] = {
    "an honest repeat": (nothing, 0, {}, set()),
    "an input that DVC tracks": (tracked_by_dvc, 0, {}, set()),
    "a metric edited by hand": (metric_by_hand, 13, {"evaluate": DIFFERS}, {"stale-lock"}),
    "a metric edited by hand and recorded": (metric_by_hand_and_recorded, 13, {"evaluate": DIFFERS}, set()),
    "a fake model": (fake_model, 13, {"train": DIFFERS, "evaluate": DIFFERS}, set()),
    "a fake model with its answers": (fake_model_and_its_answers, 13, {"train": DIFFERS}, set()),
    "another seed": (another_seed, 11, {"train": STATISTICAL}, set()),
    "another seed and too few rows": (another_seed_with_a_narrow_margin, 12, {"train": INCONCLUSIVE}, set()),
    "weights that differ by rounding": (slightly_other_weights, 10, {"train": NUMERICAL, "evaluate": NUMERICAL}, set()),
    "a flipped byte in the cache": (flipped_byte, 20, {}, {"damaged-object"}),
    "a cache that is lost": (lost_cache, 0, {}, {"missing-object"}),
    "data that changed": (data_changed, 13, {"prepare": DIFFERS}, {"stale-lock"}),
    "a stage that does not repeat": (nondeterministic, 20, {"train": NUMERICAL}, {"unrepeatable-stage"}),
    "another version of a library": (other_library, 10, {"configure": NUMERICAL}, {"unpinned-library"}),
    "a stage that fails": (failing, 14, {"train": FAILED, "evaluate": FAILED}, set()),
    "what nobody declared, and a wrong figure": (
        undeclared_and_wrong, 20, {}, {"undeclared-input", "network-use", "wrong-claim", "uncommitted-input"},
    ),
    "an input that git does not hold": (untracked_input, 14, dict.fromkeys(("prepare", "train", "evaluate"), FAILED), {"untracked-input"}),
}  # fmt: skip


LONG = {
    "another seed",
    "a fake model",
    "a metric edited by hand and recorded",
    "a fake model with its answers",
    "another seed and too few rows",
    "a cache that is lost",
    "weights that differ by rounding",
    "another version of a library",
    "an input that git does not hold",
    "an input that DVC tracks",
    "a stage that fails",
    "data that changed",
    "what nobody declared, and a wrong figure",
}
"""What others nearly show; each costs as much as they do."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in CASES])
def test_a_spoiled_record_gets_its_verdict(name: str, honest: Path, tmp_path: Path) -> None:
    plant, code, verdicts, findings = CASES[name]
    root = copy(honest, tmp_path / "project")
    plant(root)
    before = call(root, "git", "status", "--porcelain").stdout
    exit_code, printed = review(root)
    assert exit_code == code, printed
    found = json.loads((root / "review/review.json").read_text())
    expected = {stage: verdicts.get(stage, IDENTICAL) for stage in ("configure", "prepare", "train", "evaluate")}
    assert {stage["name"]: stage["verdict"] for stage in found["stages"]} == expected, printed
    assert {finding["code"] for finding in found["findings"]} == findings, printed
    shutil.rmtree(root / "review")
    assert call(root, "git", "status", "--porcelain").stdout == before  # a review changes nothing
