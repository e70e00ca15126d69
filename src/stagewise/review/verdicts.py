"""From what was run to a verdict per stage: files first, then the answers that differing weights lead to."""

from pathlib import Path

from stagewise.config.schema.review import ReviewSection
from stagewise.review.compare.answers import compare_answers, is_answers, read_answers
from stagewise.review.judge import Judged, describe_answers, judge_stage
from stagewise.review.pipeline import Pipeline, PipelineStage, within
from stagewise.review.record import Answers, Stage
from stagewise.review.recorded import Recorded
from stagewise.review.rerun import Rerun, Runner
from stagewise.review.verdict import Verdict, worst

CONFIGURE = "configure"


class Verdicts:
    """Judges the stages of one revision."""

    def __init__(self, pipeline: Pipeline, recorded: Recorded, runner: Runner, thresholds: ReviewSection) -> None:
        self._pipeline, self._recorded, self._runner, self._thresholds = pipeline, recorded, runner, thresholds
        self._reruns: list[Rerun] = []
        self._judged: dict[str, Judged] = {}
        self.answers: list[Answers] = []
        """What was compared to judge them."""

    def judge(self, reruns: list[Rerun]) -> None:
        """Judge every stage, in order."""
        self._reruns = reruns
        self._judged = {rerun.stage.name: self._judge(rerun) for rerun in reruns}
        for rerun in reruns:
            judged = self._judged[rerun.stage.name]
            if judged.needs_answers:
                self._judged[rerun.stage.name] = self._judge_by_answers(rerun, judged)

    def repeat(self) -> None:
        """Execute what was not identical once more; last, since its outputs are replaced."""
        for rerun in self._reruns:
            if self._judged[rerun.stage.name].verdict is not Verdict.IDENTICAL and rerun.stage.name != CONFIGURE:
                rerun.repeats = self._runner.run_twice(rerun)

    @property
    def stages(self) -> list[Stage]:
        """The stages with their verdicts."""
        return [_stage(rerun, self._judged[rerun.stage.name]) for rerun in self._reruns]

    def _judge(self, rerun: Rerun) -> Judged:
        if rerun.failure:
            return Judged(Verdict.FAILED, rerun.failure, [], [], False)
        if rerun.judged is None:
            why = "its inputs came out otherwise than recorded, and it cannot be run on the recorded ones"
            return Judged(Verdict.INCONCLUSIVE, why, [], [], False)
        found = judge_stage(rerun.stage, self._recorded, rerun.judged, self._thresholds)
        self.answers += found.answers
        return found

    def _judge_by_answers(self, rerun: Rerun, judged: Judged) -> Judged:
        """Weights are as good as the answers that the stage after them gives with them."""
        judge = self._judge_of(rerun.stage)
        if judge is None:
            return _replace(judged, Verdict.INCONCLUSIVE, "weights differ, and no stage gives answers with them")
        before, after = self._answer_files(rerun, judge)
        if before is None or after is None:
            why = f"weights differ, and {judge.stage.name} could not be run with both"
            return _replace(judged, Verdict.INCONCLUSIVE, why)
        verdict, answers = compare_answers(
            rerun.stage.name, read_answers(before), read_answers(after), self._thresholds
        )
        if answers is None:
            return _replace(judged, Verdict.DIFFERS, "weights differ, and their answers are to other rows")
        self.answers.append(answers)
        verdict = Verdict.NUMERICAL if verdict is Verdict.IDENTICAL else verdict
        return _replace(judged, verdict, f"weights differ; by their answers: {describe_answers(answers)}")

    def _judge_of(self, stage: PipelineStage) -> Rerun | None:
        """The first stage that takes the weights and whose outputs hold answers."""
        for rerun in self._reruns:
            takes = any(within(dep, out.path) for dep in rerun.stage.deps for out in stage.outs)
            if takes and rerun.judged is not None and _answers_file(rerun.stage, rerun.judged.project):
                return rerun
        return None

    def _answer_files(self, weights: Rerun, judge: Rerun) -> tuple[Path | None, Path | None]:
        """The answers of the recorded weights and of those made again, both given here, to the recorded rows."""
        if judge.judged is None or weights.judged is None:
            return None, None
        folder = self._runner.chain.folder
        before = _keep(judge.stage, judge.judged.project, folder / "answers-recorded-weights.parquet")
        made: Path | None = self._runner.chain.project
        if not weights.inputs_equal:
            made = self._runner.run_with(judge.stage, weights.stage, weights.judged)
        return before, _answers_file(judge.stage, made) if made else None


def _answers_file(stage: PipelineStage, project: Path) -> Path | None:
    files = [project / out.path for out in stage.outs]
    return next((file for file in files if file.is_file() and is_answers(file)), None)


def _keep(stage: PipelineStage, project: Path, target: Path) -> Path | None:
    """A copy of the answers, since the checkout will be used again."""
    file = _answers_file(stage, project)
    if file is not None:
        target.write_bytes(file.read_bytes())
    return target if file else None


def _replace(judged: Judged, verdict: Verdict, reason: str) -> Judged:
    """The verdict by answers; a file that differs for worse reasons keeps its own."""
    lowest = worst([verdict, *(output.verdict for output in judged.outputs if output.verdict)])
    return Judged(lowest, reason if lowest is verdict else judged.reason, judged.outputs, judged.answers, False)


def _stage(rerun: Rerun, judged: Judged) -> Stage:
    return Stage(
        name=rerun.stage.name, verdict=judged.verdict, reason=judged.reason, inputs_equal=rerun.inputs_equal,
        repeats=rerun.repeats, seconds=rerun.seconds, outputs=judged.outputs, hosts=list(rerun.hosts),
        log=rerun.execution.log if rerun.execution and judged.verdict is Verdict.FAILED else "",
    )  # fmt: skip
