"""The stages of a checkout as DVC reads them: what goes in, what comes out, and what dvc.lock recorded of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import get_active_graph, plan_repro

from stagewise.errors import ReviewError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Out:
    """An output of a stage, as dvc.lock records it."""

    path: str
    md5: str | None
    """With the suffix ``.dir`` for a folder; None where nothing was recorded."""
    cached: bool
    """Whether its content lies in DVC's cache; else git keeps it."""
    metric: bool


@dataclass(frozen=True)
class PipelineStage:
    """A stage of dvc.yaml, in the order of the pipeline."""

    name: str
    command: str
    deps: list[str]
    params: list[str]
    """Files of ``params:``."""
    outs: list[Out]
    stale: list[str] = field(default_factory=list)
    """What git keeps of the stage's inputs and outputs, and dvc.lock records otherwise."""


@dataclass(frozen=True)
class Pipeline:
    """All stages, and the inputs that DVC tracks by themselves (``dvc add``)."""

    stages: list[PipelineStage]
    tracked: list[Out]

    def writer(self, path: str) -> PipelineStage | None:
        """The stage that writes ``path``, or a folder around it."""
        return next((stage for stage in self.stages if any(within(path, out.path) for out in stage.outs)), None)


def within(path: str, folder: str) -> bool:
    """Whether a path is ``folder`` or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def read_pipeline(root: Path) -> Pipeline:
    """Read the pipeline of the checkout at ``root``, as it lies there.

    Raises:
        ReviewError: it has none, or DVC cannot read it.
    """
    if not (root / "dvc.yaml").is_file():
        raise ReviewError("there is no dvc.yaml", where=str(root), fix="review a revision that has a pipeline")
    try:
        with Repo(str(root)) as repo, lock_repo(repo):
            stages = list(plan_repro(get_active_graph(repo.index.graph)))
            sources = [_out(out) for stage in stages if stage.is_data_source for out in stage.outs]
            read = [_stage(stage) for stage in stages if not stage.is_data_source]
    except DvcException as error:
        raise ReviewError("DVC cannot read the pipeline", where=str(root), why=str(error).strip()) from error
    if not read:
        raise ReviewError("there is no stage to execute", where="dvc.yaml", fix="review a revision that has a pipeline")
    return Pipeline(read, sources)


def locked_outs(root: Path) -> dict[str, str]:
    """The MD5 of every output that the dvc.lock of a checkout names."""
    file = root / "dvc.lock"
    lock = yaml.load(file.read_text(encoding="utf-8"), _LOADER) if file.is_file() else None
    stages = (lock or {}).get("stages", {}).values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", []) if "md5" in out}


def _stage(stage: Any) -> PipelineStage:
    params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
    return PipelineStage(
        name=str(getattr(stage, "name", None) or stage.addressing),
        command=str(stage.cmd),
        deps=[dep.def_path for dep in stage.deps if dep not in params],
        params=[dep.def_path for dep in params],
        outs=[_out(out) for out in stage.outs],
        stale=_stale(stage),
    )


def _out(out: Any) -> Out:
    return Out(out.def_path, out.hash_info.value, bool(out.use_cache), bool(out.metric))


def _stale(stage: Any) -> list[str]:
    """Only what lies in a fresh checkout: git's own files."""
    here = [item for item in (*stage.deps, *stage.outs) if item.exists]
    lines = [item.def_path for item in here if item.hash_info and item.status()]
    return ([f"the command of {stage.addressing}"] if stage.cmd_changed else []) + lines
