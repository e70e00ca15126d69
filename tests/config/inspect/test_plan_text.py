"""How a plan is printed, and where its estimate comes from; plans of real pipelines are in tests/repro/test_plan.py."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from stagewise.config.history import HISTORY, last_times, record
from stagewise.config.inspect.entries import Changes
from stagewise.config.inspect.plan import PlannedStage, plan
from stagewise.config.inspect.plan_text import print_plan
from stagewise.errors import ConfigError

TRAIN = PlannedStage(
    "train",
    "runs",
    ["models/trained is missing"],
    Changes(["optimizer.lr 0.001 -> 0.01"], ["src/stagewise/models/cnn.py changed"], ["torch 2.12 -> 2.13"]),
)
EVALUATE = PlannedStage("evaluate", "after", after=["train"])
INGEST = PlannedStage("ingest", "unchanged")
PACKAGE = PlannedStage("package", "restored", ["models/[bold]x is missing"])


def printed(stages: list[PlannedStage], times: dict[str, float] | None = None) -> str:
    stream = io.StringIO()
    print_plan(stages, times or {}, Console(file=stream, width=80, highlight=False))
    return stream.getvalue()


def test_each_stage_has_its_reasons_below_it() -> None:
    assert printed([INGEST, TRAIN, EVALUATE, PACKAGE]).splitlines() == [
        "ingest    unchanged",
        "train     runs",
        "            optimizer.lr 0.001 -> 0.01",
        "            src/stagewise/models/cnn.py changed",
        "            torch 2.12 -> 2.13",
        "            models/trained is missing",
        "evaluate  runs, or is restored, after train",
        "package   restored from the cache",
        "            models/[bold]x is missing",
        "",
        "2 of 4 stages would run, 1 would be restored; time: unknown (no earlier run to go by)",
    ]


def test_a_long_list_is_cut() -> None:
    many = PlannedStage("train", "runs", changes=Changes([f"key{n} 1 -> 2" for n in range(20)], [], []))
    lines = printed([many]).splitlines()
    assert len(lines) == 1 + 6 + 1 + 2
    assert lines[7].strip() == "and 14 more"


@pytest.mark.parametrize(
    ("times", "fragment"),
    [
        ({}, "time: unknown"),
        ({"train": 20, "evaluate": 5.4}, "about 25 s, going by the last run"),
        ({"train": 20}, "more than 20 s (evaluate: no earlier run"),
        ({"train": 1200, "evaluate": 60}, "about 21 min"),
        ({"train": 36000, "evaluate": 0}, "about 10.0 h"),
    ],
)
def test_the_estimate(times: dict[str, float], fragment: str) -> None:
    assert fragment in printed([TRAIN, EVALUATE], times)


def test_nothing_to_do_says_so() -> None:
    assert printed([INGEST]).splitlines()[-1] == "nothing to do: every stage is up to date"


def test_history_keeps_the_last_time_of_each_stage_and_skips_damage(tmp_path: Path) -> None:
    assert last_times(tmp_path) == {}
    record(tmp_path, "train", 30.0)
    record(tmp_path, "train", 12.5)
    record(tmp_path, "ingest", 1.0)
    with (tmp_path / HISTORY).open("a") as file:
        file.write('{"stage": "tr\n[]\n{"stage": "evaluate"}\n{"stage": "x", "seconds": null}\n')
    assert last_times(tmp_path) == {"train": 12.5, "ingest": 1.0}


def test_a_folder_without_a_pipeline_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no dvc\.yaml here"):
        plan(tmp_path)
