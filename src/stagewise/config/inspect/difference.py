"""Compare what enters the stages at two revisions, from the ``build/<stage>.yaml`` that git keeps."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from stagewise.config.git import find_commit, git
from stagewise.config.inspect.entries import Changes, Entry, compare_entries, parse_entry
from stagewise.config.resolve import STAGES, resolved_files
from stagewise.errors import ConfigError


@dataclass(frozen=True)
class StageDifference:
    """What differs of one stage."""

    stage: str
    changes: Changes
    only: str | None = None
    """``"old"`` or ``"new"`` where the stage has a resolved file in that one alone."""


def differences(root: Path, old: str, new: str | None = None) -> list[StageDifference]:
    """Return the stages whose config, code or libraries differ from revision ``old`` to ``new``.

    Without ``new``, ``old`` is compared with the working tree: the config as it stands now, composed in memory.

    Raises:
        ConfigError: a revision does not exist or holds no resolved config, or the working tree's config is wrong.
    """
    before = _entries(root, old)
    after = _entries(root, new) if new else {name: parse_entry(text) for name, text in resolved_files(root).items()}
    found = [_difference(stage, before.get(stage), after.get(stage)) for stage in STAGES]
    return [item for item in found if item.only or item.changes]


def print_differences(found: list[StageDifference], console: Console | None = None) -> None:
    """Print the stages one after another: values, modules, library versions."""
    console = console or Console(highlight=False)
    if not found:
        console.print("no difference")
    for item in found:
        where = {"old": "  only in the old one", "new": "  only in the new one", None: ""}[item.only]
        console.print(f"[bold]{item.stage}[/]{where}", soft_wrap=True)
        for lines, style in ((item.changes.values, "cyan"), (item.changes.code, ""), (item.changes.libraries, "")):
            for line in lines:
                console.print(f"  {escape(line)}", style=style, soft_wrap=True)


def _difference(stage: str, before: Entry | None, after: Entry | None) -> StageDifference:
    if before is None or after is None:
        only = None if before is after else "new" if before is None else "old"
        return StageDifference(stage, Changes([], [], []), only)
    return StageDifference(stage, compare_entries(before, after))


def _entries(root: Path, revision: str) -> dict[str, Entry]:
    commit = find_commit(root, revision)
    found = {}
    for stage in STAGES:
        text = git(root, "show", f"{commit}:./build/{stage}.yaml")
        if text is not None:
            found[stage] = parse_entry(text)
    if not found:
        raise ConfigError(f"the revision {revision!r} holds no build/<stage>.yaml", fix="name a commit after a repro")
    return found
