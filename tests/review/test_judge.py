"""The verdict of a stage from its files, one kind of difference at a time."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from safetensors.numpy import save_file

from stagewise.config.schema.review import ReviewSection
from stagewise.review.judge import Judged, judge_stage
from stagewise.review.pipeline import Out, PipelineStage
from stagewise.review.record import Output
from stagewise.review.recorded import Recorded
from stagewise.review.verdict import FINDINGS_EXIT_CODE, Verdict, worst
from stagewise.review.workspace import Workspace

LIMITS = ReviewSection()
ROWS = 500


def write_all(folder: Path) -> None:
    """One file of each kind."""
    folder.mkdir(parents=True)
    save_file({"w": np.arange(3.0)}, folder / "model.safetensors")
    (folder / "metrics.json").write_text(json.dumps({"accuracy": 0.9, "rows": ROWS, "sha256": "a" * 64}))
    (folder / "report.html").write_text("<p>0.9</p>\n")
    (folder / "curve.csv").write_text("epoch,loss\n1,0.5\n")
    Image.new("L", (3, 3), 7).save(folder / "picture.png")
    pq.write_table(pa.table({"x": [1.0, 2.0]}), folder / "rows.parquet")
    write_answers(folder, 0, 0.0)
    (folder / "blob.bin").write_bytes(b"abc")
    (folder / "model.onnx").write_bytes(b"no graph")


def write_answers(folder: Path, moved: int, shift: float) -> None:
    labels = ["b" if row < moved else "a" for row in range(ROWS)]
    numbers = [0.7 + shift] * ROWS
    table = {"id": [str(row) for row in range(ROWS)], "target": ["a"] * ROWS, "label": labels, "p_a": numbers}
    pq.write_table(pa.table(table), folder / "predictions.parquet")


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content)


def tensors(folder: Path) -> None:
    save_file({"w": np.arange(3.0) + 1e-9}, folder / "model.safetensors")


def table(value: float) -> Callable[[Path], None]:
    return lambda folder: pq.write_table(pa.table({"x": [1.0, value]}), folder / "rows.parquet")


def answers(moved: int, shift: float) -> Callable[[Path], None]:
    return lambda folder: write_answers(folder, moved, shift)


def both(*edits: Callable[[Path], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        for each in edits:
            each(folder)

    return edit


def metrics(accuracy: float, digest: str = "a") -> Callable[[Path], None]:
    return text("metrics.json", json.dumps({"accuracy": accuracy, "rows": ROWS, "sha256": digest * 64}))


NOTHING: Callable[[Path], None] = lambda _: None  # noqa: E731

CASES: dict[str, tuple[Callable[[Path], None], Verdict, bool]] = {
    "nothing": (NOTHING, Verdict.IDENTICAL, False),
    "the container": (text("metrics.json", json.dumps({"rows": ROWS, "sha256": "a" * 64, "accuracy": 0.9}, indent=1)), Verdict.IDENTICAL, False),
    "weights": (tensors, Verdict.IDENTICAL, True),
    "a figure a little": (metrics(0.905), Verdict.NUMERICAL, False),
    "a figure": (metrics(0.95), Verdict.DIFFERS, False),
    "a digest": (metrics(0.9, "b"), Verdict.NUMERICAL, False),
    "the report alone": (text("report.html", "<p>0.99</p>\n"), Verdict.DIFFERS, False),
    "the curve alone": (text("curve.csv", "epoch,loss\n1,0.4\n"), Verdict.DIFFERS, False),
    "a picture alone": (lambda folder: Image.new("L", (3, 3), 8).save(folder / "picture.png"), Verdict.DIFFERS, False),
    "the report with a figure": (both(metrics(0.905), text("report.html", "<p>0.905</p>\n")), Verdict.NUMERICAL, False),
    "a table a little": (table(2.0 + 1e-7), Verdict.NUMERICAL, False),
    "a table": (table(2.1), Verdict.DIFFERS, False),
    "answers a little": (answers(0, 0.01), Verdict.NUMERICAL, False),
    "answers by few": (answers(1, 0.1), Verdict.STATISTICAL, False),
    "answers by some": (answers(5, 0.1), Verdict.INCONCLUSIVE, False),
    "answers by many": (answers(50, 0.1), Verdict.DIFFERS, False),
    "anything else": (text("blob.bin", "abd"), Verdict.DIFFERS, False),
    "a damaged table": (text("rows.parquet", "no table"), Verdict.DIFFERS, False),
    "a file less": (lambda folder: (folder / "blob.bin").unlink(), Verdict.DIFFERS, False),
    "a file more": (text("new.bin", "x"), Verdict.DIFFERS, False),
    "a graph that cannot be run": (text("model.onnx", "no graph either"), Verdict.INCONCLUSIVE, False),
    "weights and the worse": (both(tensors, metrics(0.95)), Verdict.DIFFERS, True),
}  # fmt: skip


@pytest.fixture
def sides(tmp_path: Path) -> tuple[PipelineStage, Recorded, Workspace]:
    recorded, made = tmp_path / "recorded", tmp_path / "made" / "checkout"
    for project in (recorded, made):
        write_all(project / "out")
    stage = PipelineStage("stage", "cmd", [], [], [Out("out", "0" * 32 + ".dir", cached=True, metric=False)])
    return stage, Recorded(recorded, whole={"out"}), Workspace(tmp_path / "made", made)


def judge(sides: tuple[PipelineStage, Recorded, Workspace]) -> Judged:
    return judge_stage(*sides, LIMITS)


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_difference(name: str, sides: tuple[PipelineStage, Recorded, Workspace]) -> None:
    edit, verdict, needs_answers = CASES[name]
    edit(sides[2].project / "out")
    found = judge(sides)
    assert (found.verdict, found.needs_answers) == (verdict, needs_answers), found.reason
    assert found.reason
    differing = [output for output in found.outputs if output.verdict is not Verdict.IDENTICAL]
    assert all(output.detail for output in differing)
    assert len(found.outputs) == len({output.path for output in found.outputs}) >= 9


@pytest.mark.parametrize(
    ("made", "verdict"), [("0" * 32 + ".dir", Verdict.IDENTICAL), ("1" * 32 + ".dir", Verdict.INCONCLUSIVE)]
)
def test_without_the_recorded_content_only_equal_bytes_can_be_told(
    made: str, verdict: Verdict, sides: tuple[PipelineStage, Recorded, Workspace]
) -> None:
    stage, recorded, workspace = sides
    lock = {"stages": {"stage": {"outs": [{"path": "out", "md5": made}]}}}
    (workspace.project / "dvc.lock").write_text(yaml.safe_dump(lock))
    found = judge((stage, Recorded(recorded.project), workspace))
    assert found.verdict is verdict
    assert [output.path for output in found.outputs] == ["out"]


def test_resolved_files_differ_by_more_than_libraries_or_not(sides: tuple[PipelineStage, Recorded, Workspace]) -> None:
    stage, recorded, workspace = sides
    stage = PipelineStage("configure", "cmd", [], [], [Out("build/train.yaml", "0" * 32, cached=False, metric=False)])
    recorded.whole.add("build/train.yaml")
    base = {"config": {"seed": 1}, "libraries": {"torch": "1"}, "key": "a"}
    for change, verdict in (
        ({"libraries": {"torch": "2"}, "key": "b"}, Verdict.NUMERICAL),
        ({"config": {"seed": 2}}, Verdict.DIFFERS),
    ):
        for project, entry in ((recorded.project, base), (workspace.project, {**base, **change})):
            (project / "build").mkdir(exist_ok=True)
            (project / "build/train.yaml").write_text(yaml.safe_dump(entry))
        assert judge((stage, recorded, workspace)).verdict is verdict


def test_the_ladder() -> None:
    assert [verdict.exit_code for verdict in Verdict] == [0, 10, 11, 12, 13, 14]
    assert [verdict.reproduced for verdict in Verdict] == [True, True, True, False, False, False]
    assert worst([Verdict.NUMERICAL, Verdict.DIFFERS, Verdict.IDENTICAL]) is Verdict.DIFFERS
    assert worst([]) is Verdict.IDENTICAL
    assert FINDINGS_EXIT_CODE not in [verdict.exit_code for verdict in Verdict]
    assert Output.model_fields["verdict"].annotation == Verdict | None
