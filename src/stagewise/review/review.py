"""``stagewise review``: execute a revision again from its raw inputs and say, stage by stage, what came of it."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from stagewise.config.cache import cache_folder
from stagewise.config.compose import compose
from stagewise.config.git import find_commit, git
from stagewise.config.schema.review import ReviewSection
from stagewise.errors import ConfigError, ReviewError
from stagewise.review.environment import describe_environment
from stagewise.review.figures import curves, metrics
from stagewise.review.findings import claims, inputs, libraries, observed, splits
from stagewise.review.pipeline import read_pipeline
from stagewise.review.provenance import graph
from stagewise.review.record import Finding, Review, Revision
from stagewise.review.recorded import restore
from stagewise.review.rerun import Rerun, Runner
from stagewise.review.verdict import worst
from stagewise.review.verdicts import Verdicts
from stagewise.review.workspace import Workspace, bring, check_out

Say = Callable[[str], None]


def review(
    root: Path, revision: str = "HEAD", against: str | None = None, *, once: bool = False, say: Say = lambda _: None
) -> Review:
    """Execute ``revision`` of the project at ``root`` again and judge every stage.

    Nothing of the working tree, its index, its cache or its branches is changed; the work is done in a temporary
    folder (TMPDIR), which is removed at the end. The revision's code is executed with this user's rights.

    Args:
        root: the project, in a git repository; its DVC cache is where recorded outputs are looked up.
        revision: what is reviewed.
        against: a revision whose recorded figures are shown beside.
        once: never execute a stage a second time to see whether it repeats.
        say: told what is being done.

    Raises:
        ReviewError: the revision has no pipeline, or cannot be checked out.
        ConfigError: git does not know a revision.
    """
    commit, other = find_commit(root, revision), find_commit(root, against) if against else None
    folder = Path(tempfile.mkdtemp(prefix="stagewise-review-"))
    try:
        reviewer = _Reviewer(root, folder, commit, say)
        beside = _describe(root, against, other) if other else None
        return reviewer.review(_describe(root, revision, commit), beside, once)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Reviewer:
    def __init__(self, root: Path, folder: Path, commit: str, say: Say) -> None:
        self._root, self._folder, self._commit, self._say = root, folder, commit, say
        self._begun = time.monotonic()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        say(f"checking {commit[:12]} out, with an empty cache")
        self._chain = check_out(root, commit, folder / "chain")
        self._pipeline = read_pipeline(self._chain.project)
        self._name, self._thresholds = _read_config(self._chain.project)
        self._recorded = restore(self._pipeline, check_out(root, commit, folder / "recorded"), cache_folder(root))

    def review(self, revision: Revision, against: Revision | None, once: bool) -> Review:
        findings = self._findings_before(revision)
        self._bring_tracked(self._chain)
        runner = Runner(self._pipeline, self._chain, self._make_alone, self._recorded, self._say)
        reruns = []
        for stage in self._pipeline.stages:
            reruns.append(runner.run(stage))
            findings += self._findings_of(reruns[-1])
        verdicts = Verdicts(self._pipeline, self._recorded, runner, self._thresholds)
        verdicts.judge(reruns)
        sides = (self._recorded.project, self._chain.project, self._beside(against) if against else None)
        figures = metrics(self._pipeline, *sides), curves(self._pipeline, *sides)
        findings += self._findings_after()
        if not once:
            verdicts.repeat()
        stages = verdicts.stages
        findings += [_unrepeatable(stage.name) for stage in stages if stage.repeats is False]
        nodes, edges = graph(self._pipeline, stages, self._chain.project)
        return Review(
            tool=f"stagewise {version('stagewise')}", project=self._name, revision=revision,
            against=against, started=self._started, seconds=time.monotonic() - self._begun,
            verdict=worst(stage.verdict for stage in stages), thresholds=self._thresholds,
            environment=describe_environment(self._recorded.project), stages=stages, answers=verdicts.answers,
            metrics=figures[0], curves=figures[1], findings=_once(findings), nodes=nodes, edges=edges,
        )  # fmt: skip

    def _findings_before(self, revision: Revision) -> list[Finding]:
        head = git(self._root, "rev-parse", "HEAD")
        is_head = head is not None and head.strip() == revision.commit
        return [
            *(inputs.uncommitted(self._root, self._pipeline) if is_head else []),
            *_thresholds_of(self._chain.project),
            *inputs.untracked(self._pipeline, self._chain),
            *inputs.stale_lock(self._pipeline),
            *inputs.cache_objects(self._pipeline, self._recorded),
            *libraries.unpinned(self._chain.project),
            *libraries.modified(self._chain.project),
            *claims.wrong_claims(self._recorded.project, self._pipeline),
        ]

    def _findings_of(self, rerun: Rerun) -> list[Finding]:
        if rerun.execution is None:
            return []
        mirror = [Path(os.environ["STAGEWISE_MIRROR"])] if os.environ.get("STAGEWISE_MIRROR") else []
        found = observed.undeclared(rerun.stage, rerun.execution.observed, self._chain, mirror)
        return found + observed.network(rerun.stage, rerun.hosts, self._chain.project)

    def _findings_after(self) -> list[Finding]:
        writer = self._pipeline.writer("data/processed")
        return splits.leaking(self._chain.project / "data/processed", writer.name if writer else None)

    def _make_alone(self) -> Workspace:
        alone = check_out(self._root, self._commit, self._folder / "alone")
        self._bring_tracked(alone)
        return alone

    def _bring_tracked(self, workspace: Workspace) -> None:
        """Inputs that DVC tracks by themselves come out of the cache, verified; without them nothing can run."""
        for out in self._pipeline.tracked:
            if not self._recorded.has(out.path):
                raise ReviewError(
                    f"the input {out.path} is not to be had",
                    where=f"{out.path}.dvc ({out.md5})",
                    why="it is in no cache here, or damaged there",
                    fix=f"dvc pull {out.path}.dvc",
                )
            bring(self._recorded.project / out.path, workspace.project / out.path)

    def _beside(self, against: Revision) -> Path:
        """The recorded outputs of the other revision, as far as they are to be had."""
        self._say(f"reading what {against.commit[:12]} recorded")
        workspace = check_out(self._root, against.commit, self._folder / "against")
        restore(read_pipeline(workspace.project), workspace, cache_folder(self._root))
        return workspace.project


def _read_config(project: Path) -> tuple[str, ReviewSection]:
    """The name and the thresholds that a checkout's own config says; the defaults where there is none to read."""
    try:
        config = compose(project)
    except ConfigError:  # its configure stage fails, and says why
        return project.name, ReviewSection()
    return config.name, config.review


def _describe(root: Path, name: str | None, commit: str) -> Revision:
    subject, _, date = (git(root, "show", "--no-patch", "--format=%s%n%cI", commit) or "\n").strip().rpartition("\n")
    return Revision(name=name or commit, commit=commit, subject=subject, date=date)


def _thresholds_of(project: Path) -> list[Finding]:
    if (project / "conf/review").is_dir():
        return []
    return [
        Finding(
            code="default-thresholds", severity="note", stage=None, where="conf/review/",
            what="the revision commits to no thresholds; it is judged by the defaults",
            fix="add conf/review/default.yaml and name it in conf/config.yaml",
        )
    ]  # fmt: skip


def _unrepeatable(stage: str) -> Finding:
    return Finding(
        code="unrepeatable-stage", severity="error", stage=stage, where=None,
        what="two runs of the stage on this machine, from equal inputs, gave different outputs",
        fix="key every random draw by the seed, pin threads, and look for times, paths and sets in what it writes",
    )  # fmt: skip


def _once(findings: list[Finding]) -> list[Finding]:
    """Each finding once, errors first."""
    order = {"error": 0, "warning": 1, "note": 2}
    unique = {finding.model_dump_json(): finding for finding in findings}
    return sorted(unique.values(), key=lambda finding: order[finding.severity])
