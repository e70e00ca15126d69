"""Print the resolved config with the place where each value was written."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

from stagewise.config.compose import compose
from stagewise.config.experiments import lay_over_experiment
from stagewise.config.origins import EXPERIMENT, Key, Origins, groups_of
from stagewise.config.params import apply_overrides, read_params, split_choices
from stagewise.config.resolve import STAGES, stage_settings
from stagewise.errors import ConfigError

_COLUMN = 40
"""Comments start here, except behind longer lines."""

_TASK_PARTS = {"inference", "module", "evaluation", "quality"}
_FEATURE_PARTS = {"rows", "inputs", "display", "runtime", "shipped"}
"""What a stage gets because of the class that ``data.feature`` names."""


def split_stage(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """Cut the command line into the stage, if it starts with one, and the overrides.

    Raises:
        ConfigError: the first word is neither a stage nor an override.
    """
    if not arguments or "=" in arguments[0] or arguments[0].startswith("~"):
        return None, list(arguments)
    stage, *overrides = arguments
    if stage not in STAGES:
        near = difflib.get_close_matches(stage, STAGES, n=1)
        raise ConfigError(
            f"there is no stage {stage!r} with a config",
            fix=f"did you mean {near[0]}?" if near else f"name one of {', '.join(STAGES)}",
        )
    return stage, overrides


def annotated_config(root: Path, stage: str | None = None, overrides: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return the YAML of the resolved config, or of what one stage gets of it, line by line with each line's origin.

    The origin is ``file:line``, ``command line``, or ``default of the schema``; "" for a line that holds no value.

    Raises:
        ConfigError: see ``compose``.
    """
    project = compose(root, overrides)
    settings = stage_settings(project, root)[stage] if stage else project
    config = settings.model_dump(mode="json", by_alias=True)
    text = yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
    experiment = apply_overrides(read_params(root), overrides, set()).get(EXPERIMENT)
    origins = Origins(root, _choices(root, overrides), overrides, experiment)
    notes = {
        line: origins.written(_project_key(stage, key)) or "default of the schema"
        for key, line in _leaves(yaml.compose(text, Loader=yaml.SafeLoader))
    }
    return [(line, notes.get(number, "")) for number, line in enumerate(text.splitlines())]


def print_config(lines: Sequence[tuple[str, str]], console: Console | None = None) -> None:
    """Print the lines with their origins as aligned comments, which leaves them valid YAML."""
    console = console or Console(highlight=False)
    width = max((len(line) for line, note in lines if note and len(line) <= _COLUMN), default=0)
    for line, note in lines:
        text = Text(line)
        if note:
            text = Text(line.ljust(width))
            text.append(f"  # {note}", style="green" if note.startswith("command") else "dim")
        console.print(text, soft_wrap=True)


class _Dumper(yaml.SafeDumper):
    """Writes a list of plain values on one line."""


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    flow = not any(isinstance(item, (dict, list)) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


_Dumper.add_representer(list, _represent_list)


def _leaves(node: yaml.Node | None, key: Key = ()) -> Iterator[tuple[Key, int]]:
    """Yield the key of every value and the number of the line a comment may follow."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        for name, value in node.value:
            yield from _leaves(value, (*key, name.value))
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style:
        for index, value in enumerate(node.value):
            yield from _leaves(value, (*key, index))
    elif node is not None and key:
        in_line = node.end_mark.column > 0
        yield key, node.end_mark.line if in_line else node.start_mark.line


def _project_key(stage: str | None, key: Key) -> Key:
    """Return where params.yaml and conf/ hold the value that a stage's file holds at ``key``."""
    if stage is None:
        return key
    first, rest = key[0], key[1:]
    if stage == "ingest" and first in {"name", "source", "mirror"}:
        return ("data", *key)
    if first == "cross_validation" and rest:
        return ("evaluate", "folds") if rest[0] == "folds" else _project_key("train", rest)
    if first in _FEATURE_PARTS:
        return ("data", "feature")
    return ("task", *key) if first in _TASK_PARTS else key


def _choices(root: Path, overrides: Sequence[str]) -> dict[str, str]:
    """Return the choice of every group: conf/config.yaml's, unless params.yaml or an override names another."""
    folders = groups_of(root)
    main = yaml.safe_load((root / "conf" / "config.yaml").read_text(encoding="utf-8")) or {}
    defaults = [item for item in main.get("defaults", []) if isinstance(item, dict)]
    params, _ = lay_over_experiment(root, apply_overrides(read_params(root), overrides, folders), folders)
    chosen, _ = split_choices(params, folders)
    return {str(group): str(choice) for item in defaults for group, choice in item.items()} | chosen
