"""How small and how fast models become, and what it costs, beside what it may cost.

    python bench/compress.py [NAME ...]     all when none is named; exit code 1 when a goal is missed

Each trains once in a private copy of the project, and makes the candidates of its compress group. Figures are of the
validation rows; times are medians with one thread, all runners in turns. Needs the mirror of the data sets
(STAGEWISE_MIRROR).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace import cold_copy, run, write_params

POINT = 0.01


@dataclass(frozen=True)
class Goal:
    """What one candidate should reach.

    Attributes:
        smaller: times smaller than fp32, at least.
        points: of the task's figure below fp32, at most.
        faster: times the speed of fp32 in onnxruntime at batch 1, more than.
        than_eager: times the speed of the network in PyTorch at batch 1, at least.
    """

    smaller: float
    points: float
    faster: float | None = None
    than_eager: float | None = None


INT8 = Goal(smaller=3.8, points=0.2, faster=1.0, than_eager=5.0)
TINY = Goal(smaller=20.0, points=0.5)

STUDIES: dict[str, tuple[tuple[str, ...], dict[str, Goal]]] = {
    "mnist": (("experiment=mnist", "compress=tiny_cnn"), {"int8_static": INT8, "tiny": TINY}),
    "fashion": (("experiment=fashion_mnist", "compress=tiny_cnn"), {"int8_static": INT8, "tiny": TINY}),
    "text": (
        ("experiment=sentence_polarity", "model=text_transformer", "optimizer.lr=0.001", "compress=dynamic"),
        {"int8_dynamic": Goal(smaller=2.5, points=0.5)},
    ),
}


def study(name: str) -> bool:
    """Run one study and print a line per candidate; whether all goals were reached."""
    overrides, goals = STUDIES[name]
    with cold_copy() as root:
        write_params(root, list(overrides))
        run(root, "dvc", "repro", "compress")
        found, times = (_read(root, file) for file in ("candidates.json", "latency.json"))
    print(f"\n{name}: {' '.join(overrides)}; {found['rows']:,} validation rows; chosen: {found['chosen']}")
    for candidate, quality in found["candidates"].items():
        print(_line(candidate, quality, times["candidates"]), flush=True)
    misses = [miss for candidate, goal in goals.items() for miss in _misses(candidate, goal, found, times)]
    for miss in misses:
        print(f"  missed: {miss}")
    return not misses


def _line(name: str, quality: dict[str, Any], times: dict[str, Any]) -> str:
    eager = _median(times["pytorch"]) / _median(times[name])
    return (
        f"  {name:14} {quality['bytes'] / 1000:8.1f} kB  {1 / quality['size_ratio']:5.1f} x smaller  "
        f"{-quality['drop'] / POINT:+.2f} points ({-quality['drop_high'] / POINT:+.2f} to "
        f"{-quality['drop_low'] / POINT:+.2f})  batch of 1: {times[name]['batch_sizes']['1']['speedup']:.2f} x fp32, "
        f"{eager:.1f} x PyTorch"
    )


def _misses(name: str, goal: Goal, found: dict[str, Any], times: dict[str, Any]) -> Iterator[str]:
    quality, own = found["candidates"][name], times["candidates"][name]
    smaller, points = 1 / quality["size_ratio"], quality["drop"] / POINT
    speedup = own["batch_sizes"]["1"]["speedup"]
    eager = _median(times["candidates"]["pytorch"]) / _median(own)
    if smaller < goal.smaller:
        yield f"{name} is {smaller:.2f} x smaller, not {goal.smaller:g} x"
    if points > goal.points:
        yield f"{name} loses {points:.2f} points, more than {goal.points:g}"
    if goal.faster is not None and speedup <= goal.faster:
        yield f"{name} runs at {speedup:.2f} x the speed of fp32, not above {goal.faster:g} x"
    if goal.than_eager is not None and eager < goal.than_eager:
        yield f"{name} runs at {eager:.1f} x the speed of PyTorch, not {goal.than_eager:g} x"


def _median(times: dict[str, Any]) -> float:
    return float(times["batch_sizes"]["1"]["p50_ms"])


def _read(root: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "reports/compression" / name).read_text())
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(STUDIES)}")
    reached = [study(name) for name in parser.parse_args().names or STUDIES]
    sys.exit(0 if all(reached) else 1)


if __name__ == "__main__":
    main()
