"""Say which stages ``dvc repro`` would run, and why, without running or writing anything.

DVC's own status knows the files as they lie there; that configure will write other ``build/<stage>.yaml`` it
cannot know. So the config is composed in memory, and its content stands for those files.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.utils.serialize import parse_yaml
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta

from stagewise.config.environment import environment_moved
from stagewise.config.inspect.entries import Changes, compare_entries
from stagewise.config.inspect.run_cache import Hashes, all_cached, folder_files, recorded_outputs, remembered_outputs
from stagewise.config.resolve import resolved_files
from stagewise.errors import ConfigError

State = Literal["unchanged", "restored", "runs", "after"]
"""``after``: runs or is restored once another stage has run, since its inputs are not known before."""

CONFIGURE = "configure"

_STATUS = {
    "deleted": "is missing",
    "modified": "changed",
    "new": "was never recorded",
    "not in cache": "is not in the cache",
}


_NEVER = "dvc.lock has no record of it"


@dataclass(frozen=True)
class PlannedStage:
    """What would become of a stage."""

    name: str
    state: State
    reasons: list[str] = field(default_factory=list)
    """What moved: files, the command, missing outputs."""
    changes: Changes | None = None
    """What moved in the stage's config, code and libraries."""
    after: list[str] = field(default_factory=list)
    """Stages that run before and whose outputs this one reads."""

    @property
    def would_run(self) -> bool:
        """Whether its command runs, as far as can be known now."""
        return self.state in ("runs", "after")


def plan(root: Path) -> list[PlannedStage]:
    """Return every stage of the project at ``root`` in the order of the pipeline.

    Raises:
        ConfigError: the config is wrong, ``root`` is not a project, or a pipeline runs in it.
    """
    if not (root / "dvc.yaml").is_file():
        raise ConfigError("there is no dvc.yaml here", where=str(root), fix="run the command in the project's folder")
    texts = {f"build/{stage}.yaml": text for stage, text in resolved_files(root).items()}
    try:
        with Repo(str(root)) as repo, lock_repo(repo):
            planner = _Planner(root, repo, texts)
            for stage in plan_repro(get_active_graph(repo.index.graph)):
                planner.add(stage)
            return planner.plans
    except DvcException as error:
        raise ConfigError("DVC cannot read the pipeline", why=str(error).strip() or type(error).__name__) from error


class _Planner:
    """Walks the stages in order and keeps what is known of the outputs before each."""

    def __init__(self, root: Path, repo: Any, texts: dict[str, str]) -> None:
        self.plans: list[PlannedStage] = []
        self._root = root
        self._repo = repo
        self._texts = texts
        self._restored: Hashes = {}
        self._unknown: dict[str, str] = {}  # output path -> the stage that will write it
        self._told: set[str] = set()  # reasons that only repeat what another stage says

    def add(self, stage: Any) -> None:
        """Plan one stage; those it depends on have been added."""
        name = _name(stage)
        planned = self._configure(stage) if name == CONFIGURE else self._stage(name, stage)
        if planned.would_run and name != CONFIGURE:
            self._unknown |= {out.def_path: name for out in stage.outs}
            self._told.add(f"build/{name}.yaml changed")
        self.plans.append(planned)

    def _configure(self, stage: Any) -> PlannedStage:
        """Configure runs whenever a file it reads changed; what it will write is known already."""
        never = not any(item.hash_info for item in (*stage.deps, *stage.outs))
        reasons = [_NEVER] if never else _statuses([*stage.deps, *stage.outs])
        if stage.cmd_changed and not never:
            reasons.append("its command changed")
        if environment_moved(self._root):
            reasons.append("the installed libraries are not those of build/")
        return PlannedStage(CONFIGURE, "runs" if reasons else "unchanged", reasons)

    def _stage(self, name: str, stage: Any) -> PlannedStage:
        if stage.frozen:
            missing = _statuses(stage.outs)
            return PlannedStage(name, "runs" if missing else "unchanged", missing)
        never = not any(item.hash_info for item in (*stage.deps, *stage.outs))
        after = list(dict.fromkeys(filter(None, (self._writer(dep.def_path) for dep in stage.deps))))
        changes, reasons = self._inputs(stage)
        if after:
            reasons = [reason for reason in reasons if reason not in self._told]
        if never:
            changes, reasons = None, [_NEVER]
        elif stage.cmd_changed:
            reasons.append("its command changed")
        if after:
            return PlannedStage(name, "after", reasons, changes, after)
        if changes or reasons:
            return PlannedStage(name, self._runs_or_restored(remembered_outputs(stage)), reasons, changes)
        reasons = _statuses(stage.outs)
        if not reasons:
            return PlannedStage(name, "unchanged")
        return PlannedStage(name, self._runs_or_restored(recorded_outputs(stage)), reasons)

    def _inputs(self, stage: Any) -> tuple[Changes | None, list[str]]:
        """Return what moved; the stage's dependencies hold their present hashes and values afterwards."""
        changes, reasons = None, []
        for dep in stage.deps:
            path, recorded = dep.def_path, dep.hash_info
            if isinstance(dep, ParamsDependency) and path in self._texts:
                entry = parse_yaml(self._texts[path], path)
                changes = compare_entries(recorded.value or {}, entry) or changes
                dep.hash_info = HashInfo("params", entry)
            elif isinstance(dep, ParamsDependency):
                reasons += _statuses([dep])
            elif not self._writer(path):
                now = self._present(dep)
                if now != recorded.value:
                    reasons.append(f"{path} {'changed' if now else 'is missing'}")
                dep.hash_info, dep.meta = HashInfo("md5", now), Meta()  # the recorded meta holds the recorded MD5
        return changes, reasons

    def _runs_or_restored(self, outputs: Hashes | None) -> State:
        if outputs is None or not all_cached(self._repo, outputs.values()):
            return "runs"
        self._restored |= outputs
        return "restored"

    def _writer(self, path: str) -> str | None:
        """Return the stage that has yet to write ``path``."""
        return next((stage for out, stage in self._unknown.items() if _within(path, out)), None)

    def _present(self, dep: Any) -> str | None:
        """Return the MD5 that a dependency has when the stage starts; None where it does not exist."""
        path = dep.def_path
        if path in self._texts:
            return hashlib.md5(self._texts[path].encode(), usedforsecurity=False).hexdigest()
        for out, digest in self._restored.items():
            if path == out:
                return digest
            if _within(path, out):
                return folder_files(self._repo, digest).get(PurePosixPath(path).relative_to(out).as_posix())
        return dep.get_hash().value if dep.exists else None


def _name(stage: Any) -> str:
    """Return the name of a stage in dvc.yaml, or the path of a .dvc file."""
    return str(getattr(stage, "name", None) or stage.addressing)


def _statuses(items: list[Any]) -> list[str]:
    return [
        f"{item.def_path} {_STATUS.get(status, 'changed') if isinstance(status, str) else 'changed'}"
        for item in items
        for status in item.status().values()
    ]


def _within(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
