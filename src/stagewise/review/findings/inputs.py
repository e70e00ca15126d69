"""Inputs that a revision does not hold, and a dvc.lock that does not fit what lies beside it."""

from pathlib import Path

from stagewise.config.git import git
from stagewise.review.pipeline import Pipeline, PipelineStage, within
from stagewise.review.record import Finding
from stagewise.review.recorded import Recorded
from stagewise.review.workspace import Workspace


def uncommitted(root: Path, pipeline: Pipeline) -> list[Finding]:
    """What lies in the reviewer's working tree and not in the revision: changed or new inputs, a newer dvc.lock."""
    listed = git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", ".")
    prefix = (git(root, "rev-parse", "--show-prefix") or "").strip()
    names = [entry[3:].removeprefix(prefix) for entry in (listed or "").split("\0") if entry]
    inputs = {path: stage.name for stage in pipeline.stages for path in (*stage.deps, *stage.params)}
    findings = []
    for name in names:
        stage = next((stage for path, stage in inputs.items() if within(name, path)), None)
        if stage or name in ("dvc.yaml", "dvc.lock"):
            findings.append(
                Finding(
                    code="uncommitted-input", severity="warning", stage=stage, where=name,
                    what="the working tree has another version of this input; the review is of the committed one",
                    fix="commit it, run `dvc repro`, commit dvc.lock, and review again",
                )
            )  # fmt: skip
    return findings


def untracked(pipeline: Pipeline, fresh: Workspace) -> list[Finding]:
    """Inputs named in dvc.yaml that a fresh checkout does not have and that nothing makes."""
    tracked = {out.path for out in pipeline.tracked}
    return [
        Finding(
            code="untracked-input", severity="error", stage=stage.name, where=path,
            what="an input of the stage is neither in git, nor tracked by DVC, nor made by a stage",
            fix=f"git add {path}, or dvc add {path}, and commit",
        )
        for stage in pipeline.stages
        for path in (*stage.deps, *stage.params)
        if not (fresh.project / path).exists() and not pipeline.writer(path)
        and not any(within(path, out) or within(out, path) for out in tracked)
    ]  # fmt: skip


def stale_lock(pipeline: Pipeline) -> list[Finding]:
    """Stages whose record in dvc.lock is of other inputs or outputs than those that git holds beside it."""
    findings = []
    for stage in pipeline.stages:
        if not any(out.md5 for out in stage.outs):
            findings.append(_lock(stage, "warning", "dvc.lock has no record of the stage", "dvc.lock"))
            continue
        outs = {out.path for out in stage.outs}
        for path in stage.stale:
            if path in outs:
                what = "git holds another output than the one that dvc.lock records: edited by hand, or not committed"
                findings.append(_lock(stage, "error", what, path))
            else:
                what = "dvc.lock records the stage with another version of this input"
                findings.append(_lock(stage, "warning", what, path))
    return findings


def cache_objects(pipeline: Pipeline, recorded: Recorded) -> list[Finding]:
    """Recorded outputs that no cache here holds, or holds in another form."""
    findings = []
    for stage in pipeline.stages:
        for out in stage.outs:
            if objects := recorded.damaged.get(out.path):
                what = (
                    f"{len(objects)} recorded objects are damaged in the cache: their content is not that of their name"
                )
                fix = "remove the object from the cache, then dvc fetch it from a remote or run the stage again"
                findings.append(
                    Finding(code="damaged-object", severity="error", stage=stage.name, what=f"{out.path}: {what}",
                            where=objects[0], fix=fix)
                )  # fmt: skip
            elif out.md5 and out.path in recorded.missing:
                what = f"{out.path}: the recorded content is in no cache here; equal bytes can be told, nothing else"
                findings.append(
                    Finding(code="missing-object", severity="warning", stage=stage.name, what=what, where=out.md5,
                            fix="dvc pull (or dvc push where the result was made), then review again")
                )  # fmt: skip
    return findings


def _lock(stage: PipelineStage, severity: str, what: str, where: str) -> Finding:
    fix = "dvc repro, then commit dvc.lock with what it recorded"
    return Finding.model_validate(
        {"code": "stale-lock", "severity": severity, "stage": stage.name, "what": what, "where": where, "fix": fix}
    )
