"""Every network and every augmentation, in two fresh processes: all outputs of all stages are the same bytes.

The processes lie at other paths and differ in loader workers, hash seed, locale, time zone, clock, umask, home and
order of the cases. What the stage scripts call is called with the settings that the configure stage writes for them.
"""

import itertools
import json
from pathlib import Path

import pytest
from cases import ROOT, cases, ends_after_training, missing, transforms
from safetensors.numpy import load_file

CASES, PROBLEMS = cases()
QUICK = {
    "model-cnn", "model-text_rnn", "model-tabular_mlp",
    "augment-strong", "augment-sound", "augment-series",
}  # fmt: skip
"""One of each kind; `make long` runs all."""
MADE = (
    "processed/schema.json",
    "processed/train.arrow",
    "models/trained/model.safetensors",
    "models/trained/history.csv",
)
MADE_AFTER_TRAINING = (
    "reports/evaluation/metrics.json",
    "reports/evaluation/predictions.parquet",
    "reports/evaluation/report.html",
    "reports/evaluation/learning_curves.csv",
    "models/compressed/model.onnx",
    "models/compressed/candidates/fp32.onnx",
    "reports/compression/candidates.json",
    "reports/compression/frontier.csv",
    "reports/compression/frontier.png",
)
MAY_DIFFER = {"build/train.yaml", "reports/compression/latency.json", "reports/compression/latency.png"}
"""The number of workers is a value of the config; times and their picture are no output."""


def test_no_choice_is_left_out() -> None:
    assert PROBLEMS == []
    for group in ("model", "augment", "task"):
        assert {f"{group}-{file.stem}" for file in (ROOT / "conf" / group).glob("*.yaml")} <= CASES.keys()
    shown = " ".join(file.read_text(encoding="utf-8") for file in (ROOT / "conf/augment").glob("*.yaml"))
    shown += " ".join(itertools.chain.from_iterable(CASES.values()))
    assert len(transforms()) > 15
    assert [target for target in transforms() if target not in shown] == []


def test_the_processes_differ_in_what_must_not_matter(projects: tuple[Path, Path]) -> None:
    one, two = (json.loads((project / "seen.json").read_text()) for project in projects)
    assert one.keys() == two.keys()
    if one["encoding"].lower() == two["encoding"].lower():  # the machine cannot make another locale
        del one["encoding"]
    assert [name for name in one if one[name] == two[name]] == []


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name not in QUICK)) for name in CASES])
def test_two_fresh_processes_give_equal_bytes(projects: tuple[Path, Path], name: str) -> None:
    if package := missing(name):
        pytest.skip(f"{package} is not installed")
    one, two = (project / "cases" / name for project in projects)
    for folder in (one, two):
        assert not (folder / "error.txt").is_file(), (folder / "error.txt").read_text(encoding="utf-8")
    whole = not ends_after_training(name)
    assert [path for path in MADE + MADE_AFTER_TRAINING * whole if not (one / path).is_file()] == []
    assert not whole or list((one / "reports/evaluation/figures").iterdir())
    assert differences(one, two) == []


def differences(one: Path, two: Path) -> list[str]:
    """Every file that is not the same in both folders, with the first thing that differs."""
    names = sorted(files(one) | files(two) - MAY_DIFFER)
    return [
        f"{name}: {why}" for name in names if name not in MAY_DIFFER and (why := difference(one / name, two / name))
    ]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def difference(one: Path, two: Path) -> str:
    if not (one.is_file() and two.is_file()):
        return "one process wrote it, the other did not"
    if one.read_bytes() == two.read_bytes():
        return ""
    if one.suffix == ".safetensors":
        first, second = load_file(one), load_file(two)
        moved = [name for name in first if name not in second or first[name].tobytes() != second[name].tobytes()]
        return f"first differing tensor: {moved[0] if moved else 'none, another order or header'}"
    if one.suffix in {".csv", ".json", ".html", ".yaml"}:
        lines = zip(
            one.read_text(encoding="utf-8").splitlines(), two.read_text(encoding="utf-8").splitlines(), strict=False
        )
        number, pair = next(((n, p) for n, p in enumerate(lines, 1) if p[0] != p[1]), (0, ("", "")))
        return f"line {number}: {pair[0][:200]!r} and {pair[1][:200]!r}"
    return f"{one.stat().st_size} and {two.stat().st_size} bytes"
