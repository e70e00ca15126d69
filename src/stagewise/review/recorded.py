"""What the revision recorded: its outputs, brought out of a cache object by object, each one verified."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from stagewise.config.cache import LockedOut, damaged_objects, missing_objects, objects
from stagewise.review.pipeline import Pipeline
from stagewise.review.workspace import Workspace

FOLDER = ".dir"
"""Suffix of the MD5 of a folder, whose object lists the files."""


@dataclass
class Recorded:
    """The recorded outputs that could be had, in place below ``project``, and what was wrong with the others."""

    project: Path
    whole: set[str] = field(default_factory=set)
    """Paths of outputs that are there as recorded."""
    missing: dict[str, list[str]] = field(default_factory=dict)
    """Objects that the cache does not hold, by output."""
    damaged: dict[str, list[str]] = field(default_factory=dict)
    """Objects whose content is not what their name says, by output."""

    def has(self, path: str) -> bool:
        """Whether the recorded content of an output is at hand."""
        return path in self.whole


def restore(pipeline: Pipeline, workspace: Workspace, cache: Path) -> Recorded:
    """Put every recorded output that ``cache`` has whole into the checkout.

    Outputs that git keeps are there already: as recorded if their MD5 is the recorded one.
    """
    recorded = Recorded(workspace.project)
    for out in [*(out for stage in pipeline.stages for out in stage.outs), *pipeline.tracked]:
        if out.md5 is None:
            recorded.missing[out.path] = []
        elif out.cached:
            _restore(LockedOut(out.path, out.md5), cache, recorded)
        elif (workspace.project / out.path).is_file():  # whether it is what dvc.lock says is a finding of its own
            recorded.whole.add(out.path)
    return recorded


def _restore(out: LockedOut, cache: Path, recorded: Recorded) -> None:
    if missing := missing_objects(cache, out):
        recorded.missing[out.path] = [lost.object.name for lost in missing]
    if damaged := damaged_objects(cache, out):
        recorded.damaged[out.path] = [broken.object.name for broken in damaged]
    if missing or damaged:
        return
    recorded.whole.add(out.path)
    for path, file, md5 in objects(cache, out):
        if md5.endswith(FOLDER):
            (recorded.project / path).mkdir(parents=True, exist_ok=True)
        elif ".." not in PurePosixPath(path).parts:
            (recorded.project / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, recorded.project / path)  # without the object's read-only mode
