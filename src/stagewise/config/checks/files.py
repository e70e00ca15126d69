"""Look at the YAML files themselves, before Hydra merges them: what YAML or Hydra would take silently is a mistake."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stagewise.config.checks.mistakes import Mistake, nearest
from stagewise.config.schema.project import Project

CONFIG = Path("conf/config.yaml")
DEFAULTS = "defaults"
HYDRA = "Hydra itself is not configured here: it only composes, it runs and logs nothing"

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null", "merge")}
_PACKAGE = re.compile(r"^\s*#\s*@package\b.*$", re.MULTILINE)


def check_file(root: Path, file: Path) -> list[Mistake]:
    """Return what is wrong with one YAML file, whatever its keys mean.

    Args:
        root: the project.
        file: relative to ``root``.
    """
    try:
        text = (root / file).read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        return [_mistake(file, 1, f"is not UTF-8 text: {error.reason}")]
    except yaml.YAMLError as error:
        return [_syntax(file, error)]
    if node is not None and not isinstance(node, yaml.MappingNode):
        return [_mistake(file, node.start_mark.line + 1, "must be a mapping of keys to values")]
    mistakes = list(_check_node(file, node, set())) if node else []
    package = _PACKAGE.search(text)
    if package:
        line = text[: package.start()].count("\n") + 1
        why = "moves the file's content with @package; a file of conf/<group>/ is the section <group>"
        mistakes.append(_mistake(file, line, why))
    return mistakes


def read_defaults(root: Path, groups: set[str]) -> tuple[dict[str, str], list[Mistake]]:
    """Return the choice per group in conf/config.yaml, and what is wrong with that file."""
    if not (root / CONFIG).is_file():
        return {}, [_mistake(CONFIG, 1, "is missing", "; it lists the choice of every group")]
    mistakes = check_file(root, CONFIG)
    if mistakes:
        return {}, mistakes
    node = yaml.compose((root / CONFIG).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    valid = [DEFAULTS, *Project.model_fields]
    choices: dict[str, str] = {}
    for name, value in node.value if node else []:
        line = name.start_mark.line + 1
        if name.value == DEFAULTS:
            mistakes += _read_list(value, groups, choices)
        elif name.value == "hydra":
            mistakes.append(Mistake(("hydra",), HYDRA, "", f"{CONFIG}:{line}"))
        elif name.value not in valid:
            mistakes.append(Mistake((name.value,), "unknown key", nearest(name.value, valid), f"{CONFIG}:{line}"))
    return choices, mistakes


def check_choice(root: Path, group: str, choice: str) -> list[Mistake]:
    """Return what is wrong with conf/<group>/<choice>.yaml and with the files that it builds on."""
    mistakes: list[Mistake] = []
    seen: set[str] = set()
    todo = [choice]
    while todo:
        name = todo.pop()
        file = Path("conf") / group / f"{name}.yaml"
        if name in seen:
            continue
        seen.add(name)
        found = check_file(root, file)
        mistakes += found
        if not found:
            todo += _parents(root, group, file, mistakes)
    return mistakes


def choices_of(root: Path, group: str) -> list[str]:
    """Return the names that ``group`` offers."""
    return sorted(file.stem for file in (root / "conf" / group).glob("*.yaml"))


def why_malformed(text: str) -> str | None:
    """Say why a text is no interpolation though it holds ``${``; None where it is one."""
    try:
        OmegaConf.create([text])
    except OmegaConfBaseException as error:
        return str(error).splitlines()[0]
    return None


def _check_node(file: Path, node: yaml.Node, seen: set[int]) -> Iterator[Mistake]:
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    line = node.start_mark.line + 1
    if node.tag not in _TAGS:
        kind = node.tag.rpartition(":")[2]
        yield _mistake(file, line, f"holds a YAML {kind}, which a config has no use for", "; write text in quotes")
    if isinstance(node, yaml.ScalarNode) and "${" in node.value:
        why = why_malformed(node.value)
        if why:
            yield _mistake(file, line, f"{node.value!r} is no interpolation: {why}")
    if isinstance(node, yaml.MappingNode):
        yield from _check_mapping(file, node, seen)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _check_node(file, child, seen)


def _check_mapping(file: Path, node: yaml.MappingNode, seen: set[int]) -> Iterator[Mistake]:
    lines: dict[str, int] = {}
    for name, value in node.value:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            yield _mistake(file, line, "has a key that is no word")
            continue
        if name.value in lines:
            yield _mistake(file, line, f"has the key {name.value} twice; the first is on line {lines[name.value]}")
        lines.setdefault(name.value, line)
        yield from _check_node(file, value, seen)


def _read_list(node: yaml.Node, groups: set[str], choices: dict[str, str]) -> Iterator[Mistake]:
    """Put the entries of conf/config.yaml's defaults list into ``choices``; yield those that are no choice."""
    if not isinstance(node, yaml.SequenceNode):
        yield _mistake(CONFIG, node.start_mark.line + 1, "defaults must be a list of `- group: choice`")
        return
    for item in node.value:
        line = item.start_mark.line + 1
        pairs = item.value if isinstance(item, yaml.MappingNode) else []
        if isinstance(item, yaml.ScalarNode) and item.value == "_self_":
            continue
        if len(pairs) != 1 or not all(isinstance(part, yaml.ScalarNode) for part in pairs[0]):
            yield _mistake(CONFIG, line, "an entry of defaults must be `- group: choice` or `- _self_`")
            continue
        group, choice = (part.value for part in pairs[0])
        if group not in groups:
            why = f"there is no group conf/{group}/" if "hydra" not in group else HYDRA
            yield Mistake((group,), why, nearest(group, sorted(groups)), f"{CONFIG}:{line}")
        elif "${" in choice:
            yield Mistake((group,), "the choice must be written out, not interpolated", "", f"{CONFIG}:{line}")
        elif group in choices:
            yield Mistake((group,), "is chosen twice", "", f"{CONFIG}:{line}")
        else:
            choices[group] = choice


def _parents(root: Path, group: str, file: Path, mistakes: list[Mistake]) -> Iterator[str]:
    """Yield the files of the same group that a file builds on; other entries of its defaults list are mistakes."""
    names = choices_of(root, group)
    for entry in _entries((root / file).read_text(encoding="utf-8")):
        known = isinstance(entry, yaml.ScalarNode) and entry.value in names and f"{entry.value}.yaml" != file.name
        if known:
            yield str(entry.value)
        elif entry.value != "_self_":
            why = f"may build on other files of conf/{group}/ only"
            hint = nearest(str(entry.value), names) if isinstance(entry, yaml.ScalarNode) else ""
            mistakes.append(_mistake(file, entry.start_mark.line + 1, why, hint))


def _entries(text: str) -> list[yaml.Node]:
    """Return the entries of a file's defaults list."""
    node = yaml.compose(text, Loader=yaml.SafeLoader) if f"{DEFAULTS}:" in text else None
    lists = [value for name, value in node.value if name.value == DEFAULTS] if node else []
    return [entry for item in lists for entry in (item.value if isinstance(item, yaml.SequenceNode) else [item])]


def _syntax(file: Path, error: yaml.YAMLError) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    hint = "; indent with spaces, not with tabs" if "\\t" in problem else ""
    return _mistake(file, mark.line + 1 if mark else 1, f"is not valid YAML: {problem}", hint)


def _mistake(file: Path, line: int, why: str, hint: str = "") -> Mistake:
    return Mistake((file.as_posix(),), why, hint, f"{file.as_posix()}:{line}")
