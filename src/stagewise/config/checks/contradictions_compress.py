"""Values of the ``compress`` group that are right in themselves but not together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stagewise.config.checks.mistakes import Mistake
from stagewise.config.checks.sources import class_constant
from stagewise.config.origins import Key
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection
from stagewise.config.schema.data import DataSection

BASELINE = "fp32"
_NETWORKS, _GRAPHS = "stagewise.compression.networks.", "stagewise.compression.candidates."


def check_candidates(compress: CompressSection, data: DataSection) -> Iterator[Mistake]:
    """The baseline is among the candidates, and what is calibrated has rows of every class to be calibrated with."""
    if BASELINE not in compress.candidates:
        yield Mistake(("compress", "candidates"), f"{BASELINE}, with which the others are compared, is missing")
    static = [str(key[2]) for key, step in _steps(compress) if step.target.endswith(".Int8Static")]
    classes = len(data.classes or ())
    if static and compress.calibration_samples < classes:
        why = f"{compress.calibration_samples} rows calibrate {static[0]} on fewer rows than there are classes"
        yield Mistake(("compress", "calibration_samples"), f"{why} ({classes})")


def check_order(compress: CompressSection) -> Iterator[Mistake]:
    """A network is changed before it becomes a graph."""
    for name, made in compress.candidates.items():
        graph = None
        for number, step in enumerate(made if isinstance(made, list) else [made]):
            if step.target.startswith(_GRAPHS):
                graph = graph or step
            elif step.target.startswith(_NETWORKS) and graph is not None:
                why = f"{_short(step)} changes the network, but {_short(graph)} before it has made a graph of it"
                yield Mistake(("compress", "candidates", name, number), f"{why}; put it first")


def check_students(compress: CompressSection, data: DataSection, root: Path) -> Iterator[Mistake]:
    """A network that is distilled into gets the kind of input that it takes."""
    gives = class_constant(data.feature.target, "gives", root)
    for key, step in _steps(compress):
        model: Any = step.arguments.get("model")
        name = model.get("_target_") if isinstance(model, dict) else None
        takes = class_constant(name, "takes", root) if isinstance(name, str) else None
        if takes and gives and takes != gives:
            why = f"{name} takes {takes} inputs, but data.feature gives {gives}"
            yield Mistake((*key, "model", "_target_"), why)


def _steps(compress: CompressSection) -> Iterator[tuple[Key, Target]]:
    for name, made in compress.candidates.items():
        key = ("compress", "candidates", name)
        yield from (
            [((*key, number), step) for number, step in enumerate(made)] if isinstance(made, list) else [(key, made)]
        )


def _short(step: Target) -> str:
    return step.target.rpartition(".")[2]


COMPRESS_CHECKS = (check_candidates, check_order, check_students)
