"""The verdict of a stage from its files: each recorded one beside the one that was made again."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stagewise.config.schema.review import ReviewSection
from stagewise.review.compare import distance, graphs
from stagewise.review.compare.answers import compare_answers, is_answers, read_answers
from stagewise.review.compare.content import content_digest
from stagewise.review.pipeline import PipelineStage, locked_outs
from stagewise.review.record import Answers, Output
from stagewise.review.recorded import Recorded
from stagewise.review.verdict import Verdict, worst
from stagewise.review.workspace import Workspace

_DRAWN = {".html", ".md", ".svg", ".png", ".jpg", ".txt", ".csv"}
"""Drawn from files that are judged: no verdict of their own where those moved too."""
_TABLES = {".arrow", ".parquet", ".feather"}
_VALUES = {".json", ".yaml", ".yml"}
_TENSORS = {".safetensors", ".npz", ".npy"}
EXAMPLES = "examples"
"""Folder of rows with the graph's answers to them: as far apart as the graphs are."""
WEIGHTS = _TENSORS
"""Judged by the answers they lead to."""
_ENVIRONMENT = {"libraries", "key"}
"""What of build/<stage>.yaml is the environment's: told as such."""


@dataclass(frozen=True)
class Judged:
    """What the files of a stage say."""

    verdict: Verdict
    reason: str
    outputs: list[Output]
    answers: list[Answers]
    needs_answers: bool
    """Weights differ, whose answers decide."""


def judge_stage(stage: PipelineStage, recorded: Recorded, made: Workspace, thresholds: ReviewSection) -> Judged:
    """Compare every file of a stage's outputs.

    Args:
        recorded: the recorded outputs, brought out of the cache.
        made: the checkout in which the stage ran from the recorded inputs (or from equal ones).
    """
    judge = _Judge(stage, recorded, made, thresholds)
    outputs = [output for out in stage.outs for output in judge.compare(out.path, out.md5)]
    differing = [output for output in outputs if output.verdict is not Verdict.IDENTICAL]
    verdicts = [output.verdict for output in differing if output.verdict is not None]
    weights = [output.path for output in differing if output.verdict is None and Path(output.path).suffix in WEIGHTS]
    if not differing:
        return Judged(Verdict.IDENTICAL, "every output has the recorded content", outputs, judge.answers, False)
    if not verdicts and not weights:
        reason = f"{differing[0].path} differs, though all that it is drawn from is equal"
        return Judged(Verdict.DIFFERS, reason, outputs, judge.answers, False)
    verdict = worst(verdicts)
    deciding = next((output for output in differing if output.verdict is verdict), differing[0])
    reason = f"{deciding.path}: {deciding.detail}"
    return Judged(verdict, reason, outputs, judge.answers, bool(weights) and not judge.answers)


class _Judge:
    def __init__(self, stage: PipelineStage, recorded: Recorded, made: Workspace, thresholds: ReviewSection) -> None:
        self._stage, self._recorded, self._made, self._thresholds = stage, recorded, made, thresholds
        self.answers: list[Answers] = []

    def compare(self, out: str, md5: str | None) -> Iterator[Output]:
        """Compare the files of one output."""
        if not self._recorded.has(out):
            yield self._without_content(out, md5)
            return
        names = sorted(set(_files(self._recorded.project, out)) | set(_files(self._made.project, out)))
        for name in names:
            yield self._file(name)

    def _without_content(self, out: str, md5: str | None) -> Output:
        """Only the MD5 of dvc.lock is at hand: equal bytes can be told, and nothing else."""
        made = locked_outs(self._made.project).get(out)
        if md5 is not None and made == md5:
            return Output(path=out, verdict=Verdict.IDENTICAL, recorded=md5, reproduced=made, detail="")
        what = "dvc.lock records no content" if md5 is None else "other bytes; the recorded content is in no cache here"
        return Output(path=out, verdict=Verdict.INCONCLUSIVE, recorded=md5, reproduced=made, detail=what)

    def _file(self, name: str) -> Output:
        before, after = self._recorded.project / name, self._made.project / name
        verdict: Verdict | None
        digests = [content_digest(path) if path.is_file() else None for path in (before, after)]
        if digests[0] == digests[1]:
            verdict, detail = Verdict.IDENTICAL, ""
        elif None in digests:
            verdict, detail = Verdict.DIFFERS, "is not made any more" if digests[1] is None else "was not recorded"
        else:
            verdict, detail = self._differing(name, before, after)
        return Output(path=name, verdict=verdict, recorded=digests[0], reproduced=digests[1], detail=detail)

    def _differing(self, name: str, before: Path, after: Path) -> tuple[Verdict | None, str]:
        """The kind of a file decides how two of them are compared; whatever cannot be read differs."""
        try:
            if before.suffix == ".onnx":
                return self._graphs(before, after)
            if before.suffix in _TENSORS:
                return None, distance.describe_tensors(before, after)
            if EXAMPLES in Path(name).parts:
                return None, "what the graph answers to its examples differs"
            if before.suffix in _VALUES:
                return self._values(name, before, after)
            if is_answers(before) and is_answers(after):
                return self._answers(before, after)
            if before.suffix in _TABLES:
                share, words = distance.table_distance(before, after)
                return (Verdict.NUMERICAL if share <= self._thresholds.tables else Verdict.DIFFERS), words
            if before.suffix in _DRAWN:
                return None, "pixels differ" if before.suffix in {".png", ".jpg"} else distance.describe_text(
                    before, after
                )
        except Exception as error:  # a damaged file of whatever kind is another result, not a fault of the review
            return Verdict.DIFFERS, f"cannot be read ({type(error).__name__})"
        return Verdict.DIFFERS, f"{before.stat().st_size:,} bytes -> {after.stat().st_size:,} bytes"

    def _values(self, name: str, before: Path, after: Path) -> tuple[Verdict, str]:
        changes = distance.changed_values(before, after)
        if name.startswith("build/"):
            meant = [change for change in changes if change[0].partition(".")[0] not in _ENVIRONMENT]
            if not meant:
                return Verdict.NUMERICAL, "only versions of libraries differ (see the environment)"
            return Verdict.DIFFERS, distance.describe_values(meant)
        close = distance.values_are_close(changes, self._thresholds.metrics)
        return (Verdict.NUMERICAL if close else Verdict.DIFFERS), distance.describe_values(changes)

    def _answers(self, before: Path, after: Path) -> tuple[Verdict, str]:
        verdict, answers = compare_answers(
            self._stage.name, read_answers(before), read_answers(after), self._thresholds
        )
        if answers is None:
            return verdict, "other rows"
        self._keep(answers)
        # Equal answers in a file that is not equal: further columns, such as intervals, moved.
        return (Verdict.NUMERICAL if verdict is Verdict.IDENTICAL else verdict), describe_answers(answers)

    def _keep(self, answers: Answers) -> None:
        """Of several files of a stage, the one whose answers moved most is told."""
        kept = self.answers[0] if self.answers else None
        moved = (answers.churn, answers.largest_difference)
        if kept is None or moved > (kept.churn, kept.largest_difference):
            self.answers = [answers]

    def _graphs(self, before: Path, after: Path) -> tuple[Verdict, str]:
        """Graphs are judged by their answers to the recorded test rows."""
        tables = []
        for name, graph in (("recorded", before), ("made", after)):
            out = self._made.folder / f"answers-{name}.parquet"
            if error := graph_answers(graph, self._made, out):
                return Verdict.INCONCLUSIVE, f"the graphs differ, and their answers could not be compared: {error}"
            tables.append(read_answers(out))
        verdict, answers = compare_answers(self._stage.name, tables[0], tables[1], self._thresholds)
        if answers is not None:
            self._keep(answers)
        return (Verdict.NUMERICAL if verdict is Verdict.IDENTICAL else verdict), (
            f"the graphs differ; {describe_answers(answers) if answers else 'their answers have other shapes'}"
        )


def describe_answers(answers: Answers) -> str:
    """How far apart two sets of answers are, in words."""
    if answers.churn == 0 and answers.largest_difference == 0:
        return f"equal answers to {answers.rows:,} rows"
    moved = f"{round(answers.churn * answers.rows):,} of {answers.rows:,} rows answered in another way"
    return f"{moved}, largest difference {answers.largest_difference:.2g}"


def graph_answers(graph: Path, workspace: Workspace, out: Path) -> str | None:
    """Write a graph's answers to the test rows of a checkout; return what went wrong, if it did.

    In a process with the checkout's sources, since its readers may be its own.
    """
    processed, settings = workspace.project / "data/processed", workspace.project / "build/compress.yaml"
    command = [sys.executable, "-P", graphs.__file__, *map(str, (graph, processed, settings, out))]
    done = subprocess.run(
        command, cwd=workspace.project, env=workspace.environment(), capture_output=True, text=True, check=False
    )
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]


def _files(project: Path, out: str) -> Iterator[str]:
    place = project / out
    if place.is_dir():
        yield from (file.relative_to(project).as_posix() for file in sorted(place.rglob("*")) if file.is_file())
    elif place.is_file():
        yield out
