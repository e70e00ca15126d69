"""Executing every stage again: once as a chain from the raw inputs, and alone on recorded inputs where those differ.

The chain tells what becomes of the raw inputs. A stage whose inputs came out otherwise than recorded is also run on
the recorded ones, so that it is judged by what it does and not by what an earlier stage did.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stagewise.review.compare.content import content_digest
from stagewise.review.execute import Execution, execute
from stagewise.review.pipeline import Out, Pipeline, PipelineStage, locked_outs, within
from stagewise.review.recorded import Recorded
from stagewise.review.workspace import Workspace, bring

Say = Callable[[str], None]


@dataclass
class Rerun:
    """What running a stage again gave."""

    stage: PipelineStage
    execution: Execution | None = None
    """In the chain; None where a stage before it failed."""
    inputs_equal: bool = True
    judged: Workspace | None = None
    """The checkout whose outputs were made from the recorded inputs; None where the stage failed."""
    failure: str = ""
    repeats: bool | None = None

    @property
    def seconds(self) -> float:
        """Of the run in the chain."""
        return self.execution.seconds if self.execution else 0.0

    @property
    def hosts(self) -> tuple[str, ...]:
        """Addresses that the run in the chain connected to."""
        return self.execution.observed.hosts if self.execution else ()


class Runner:
    """Runs the stages of one revision.

    Args:
        pipeline: of the revision.
        chain: a fresh checkout, in which all stages run one after another.
        alone: makes another one, for stages on recorded inputs.
        recorded: the recorded outputs.
        say: told what runs.
    """

    def __init__(
        self, pipeline: Pipeline, chain: Workspace, alone: Callable[[], Workspace], recorded: Recorded, say: Say
    ) -> None:
        self._pipeline, self.chain, self._recorded, self._say = pipeline, chain, recorded, say
        self._make_alone = alone
        self._alone: Workspace | None = None
        self._failed: set[str] = set()

    def run(self, stage: PipelineStage) -> Rerun:
        """Run a stage whose predecessors in the pipeline have run."""
        before = self._failed & {writer.name for dep in stage.deps if (writer := self._pipeline.writer(dep))}
        if before:
            self._failed.add(stage.name)
            return Rerun(stage, failure=f"{', '.join(sorted(before))} did not run to its end")
        self._say(f"{stage.name}: running")
        execution = execute(self.chain, stage.name)
        rerun = Rerun(stage, execution)
        if execution.code:
            self._failed.add(stage.name)
            rerun.failure = f"the stage ended with exit code {execution.code}"
            return rerun
        rerun.inputs_equal = self._inputs_equal(stage)
        rerun.judged = self.chain if rerun.inputs_equal else self._run_alone(stage)
        return rerun

    def run_twice(self, rerun: Rerun) -> bool | None:
        """Whether running a stage once more from equal inputs gives equal outputs; None where it cannot run."""
        if rerun.judged is None or (rerun.judged is self._alone and not self._bring_recorded(rerun.stage, self._alone)):
            return None
        self._say(f"{rerun.stage.name}: running once more, to see whether it repeats")
        before = _digests(rerun.stage, rerun.judged.project)
        done = execute(rerun.judged, rerun.stage.name)
        return done.code == 0 and _digests(rerun.stage, rerun.judged.project) == before

    def run_with(self, stage: PipelineStage, weights: PipelineStage, made: Workspace) -> Path | None:
        """Run ``stage`` on the recorded inputs, but with what ``weights`` made again; None where that fails.

        Returns:
            The folder below which its outputs lie.
        """
        alone = self._workspace()
        self._say(f"{stage.name}: running with what {weights.name} made again")
        kept = alone.folder / "kept"
        for out in weights.outs:
            bring(made.project / out.path, kept / out.path)
        if not self._bring_recorded(stage, alone):
            return None
        for out in weights.outs:
            bring(kept / out.path, alone.project / out.path)
        return alone.project if execute(alone, stage.name).code == 0 else None

    def _inputs_equal(self, stage: PipelineStage) -> bool:
        """Whether everything that other stages made for this one is as it was recorded."""
        made = [dep for dep in stage.deps if self._pipeline.writer(dep) and not dep.startswith("build/")]
        return all(self._is_equal(dep) for dep in made)

    def _is_equal(self, dep: str) -> bool:
        out = next(out for out in self._outs_of(dep))
        if self._recorded.has(out.path):
            return _digest(self.chain.project / dep) == _digest(self._recorded.project / dep)
        return out.md5 is not None and locked_outs(self.chain.project).get(out.path) == out.md5

    def _run_alone(self, stage: PipelineStage) -> Workspace | None:
        alone = self._workspace()
        if not self._bring_recorded(stage, alone):
            return None
        self._say(f"{stage.name}: running on the recorded inputs")
        return alone if execute(alone, stage.name).code == 0 else None

    def _bring_recorded(self, stage: PipelineStage, target: Workspace) -> bool:
        """Give a stage its recorded inputs, and the config as it is composed here."""
        outs = {out.path for dep in stage.deps for out in self._outs_of(dep)}
        if not all(self._recorded.has(out) for out in outs if not out.startswith("build/")):
            return False
        for out in outs:
            if not out.startswith("build/"):
                bring(self._recorded.project / out, target.project / out)
        bring(self.chain.project / "build", target.project / "build")
        return True

    def _outs_of(self, dep: str) -> list[Out]:
        writer = self._pipeline.writer(dep)
        return [out for out in writer.outs if within(dep, out.path)] if writer else []

    def _workspace(self) -> Workspace:
        if self._alone is None:
            self._alone = self._make_alone()
        return self._alone


def _digests(stage: PipelineStage, project: Path) -> dict[str, dict[str, str]]:
    return {out.path: _digest(project / out.path) for out in stage.outs}


def _digest(place: Path) -> dict[str, str]:
    """Content by name; empty where there is nothing."""
    if place.is_dir():
        files = [file for file in sorted(place.rglob("*")) if file.is_file()]
        return {file.relative_to(place).as_posix(): content_digest(file) for file in files}
    return {"": content_digest(place)} if place.is_file() else {}
