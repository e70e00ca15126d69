"""What is compared: a case for every file of conf/model, conf/augment and conf/task, and for every transform."""

import ast
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from small_data import CHOICES

from stagewise.config.checks.sources import class_constant

ROOT = Path(__file__).parents[2]
QUICK = [
    "threads=1", "trainer.max_epochs=2", "trainer.batch_size=16", "trainer.loggers=[]", "trainer.progress=false",
    "evaluate.resamples=20", "compress.latency.repeats=1", "compress.latency.warmup=0", "compress.latency.batch_sizes=[1]",
]  # fmt: skip
KINDS: dict[object, str] = {kind: kind for kind in ("image", "tokens", "table", "series", "sound")}
KINDS["spectrogram"] = "sound"
"""Data for what networks and transforms take; a new kind needs a few rows in small_data.py."""
OWN_KIND = {"conformer": "sound", "huggingface": "encoder"}
"""Networks that want other data than others that take the same."""
LEAST_DEPTH = {"resnet": 8}
CHEAP = {"image": "mlp", "tokens": "text_bag", "table": "tabular_mlp", "series": "dlinear", "sound": "cnn"}
"""The network by which transforms are tried, for each kind of data."""
TASKS = {"classification": "image", "forecasting": "series", "regression": "price"}
NEEDS = {"model-huggingface": "transformers"}
FRAME = {"Affine", "Batch", "Transform", "Augmentation"}
"""Classes of the augment folder that are no transforms."""


def cases() -> tuple[dict[str, list[str]], list[str]]:
    """Overrides by name of the case, and what cannot be shown yet, with what to add."""
    makers: list[tuple[str, Callable[[], list[str]]]] = []
    for group, maker in (("model", _network), ("augment", _augment), ("task", _task)):
        makers += [(f"{group}-{file.stem}", partial(maker, file)) for file in _files(group)]
    makers += [(f"transform-{target.rpartition('.')[2]}", partial(_transform, target)) for target in unnamed()]
    found, problems = {}, []
    for name, make in makers:
        try:
            found[name] = [*make(), *QUICK]
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return found, problems


def ends_after_training(name: str) -> bool:
    """Whether a case is of what training alone sees: its network goes through all stages in a case of its own."""
    return name.startswith(("augment-", "transform-"))


def missing(name: str) -> str | None:
    """The package that a case needs and this environment lacks."""
    package = NEEDS.get(name)
    return package if package and importlib.util.find_spec(package) is None else None


def unnamed() -> list[str]:
    """The transforms below ``stagewise.data.augment`` that no file of conf/augment names."""
    named = {item["_target_"] for file in _files("augment") for item in _read(file)["transforms"]}
    return [target for target in transforms() if target not in named]


def transforms() -> list[str]:
    """Every transform: each public class of the folder that is not of its frame."""
    found = []
    for file in sorted((ROOT / "src/stagewise/data/augment").glob("*.py")):
        classes = [node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.ClassDef)]
        found += [f"stagewise.data.augment.{file.stem}.{node.name}" for node in classes if node.name not in FRAME]
    return found


def _network(file: Path) -> list[str]:
    """The network as its file says, but with dropout where the file leaves it out, and no deeper than need be."""
    config = _read(file)
    kind = OWN_KIND.get(file.stem) or _kind(config["_target_"])
    changes = {"dropout": 0.2} if config.get("dropout") == 0 else {}
    if "depth" in config:  # exporting every further layer takes a second, and is the same operations again
        changes["depth"] = LEAST_DEPTH.get(file.stem, 1)
    values = "".join(f", {name}: {value}" for name, value in changes.items())
    return [*CHOICES[kind], f"model={{use: {file.stem}{values}}}", "compress={use: int8, calibration_samples: 16}"]


def _augment(file: Path) -> list[str]:
    kinds = {_kind(item["_target_"]) for item in _read(file)["transforms"]} or {"image"}
    if len(kinds) > 1:
        raise ValueError(f"conf/augment/{file.name} mixes kinds of data: {', '.join(sorted(kinds))}")
    (kind,) = kinds
    return [*CHOICES[kind], f"model={CHEAP[kind]}", f"augment={file.stem}", "compress=fp32"]


def _transform(target: str) -> list[str]:
    kind = _kind(target)
    section = f"augment={{use: none, transforms: [{{_target_: {target}}}]}}"
    return [*CHOICES[kind], f"model={CHEAP[kind]}", section, "compress=fp32"]


def _task(file: Path) -> list[str]:
    if file.stem not in TASKS:
        raise ValueError("say in TASKS of tests/exact/cases.py which data show this task")
    return [*CHOICES[TASKS[file.stem]], f"task={file.stem}", "compress=fp32"]


def _kind(target: str) -> str:
    takes = class_constant(target, "takes", ROOT)
    if takes not in KINDS:
        where = "tests/exact/small_data.py, and name them in KINDS of tests/exact/cases.py"
        raise ValueError(f"{target} takes {takes!r}, of which there are no small data: add a few rows to {where}")
    return KINDS[takes]


def _files(group: str) -> list[Path]:
    return sorted((ROOT / "conf" / group).glob("*.yaml"))


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content
