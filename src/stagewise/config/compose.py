"""Compose params.yaml and conf/ with Hydra and validate the result: all errors at once, each with its place."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from stagewise.config.origins import Key, Origins
from stagewise.config.params import apply_overrides, read_params, split_choices
from stagewise.config.schema.project import Project
from stagewise.config.signatures import check_targets
from stagewise.errors import ConfigError


def compose(root: Path, overrides: Sequence[str] = ()) -> Project:
    """Return the validated config of the project at ``root``.

    Args:
        root: the folder of params.yaml and conf/.
        overrides: Hydra overrides laid over params.yaml.

    Raises:
        ConfigError: one error that lists every mistake found, each with key, file:line and the nearest valid names.
    """
    groups = _groups(root)
    params = apply_overrides(read_params(root), overrides, groups)
    choices, values = split_choices(params, groups)
    _check_choices(root, choices, values, groups, Origins(root, {}, overrides))
    config, chosen = _compose_groups(root, choices)
    origins = Origins(root, chosen, overrides)
    return _validate(_resolve(config, values), origins, root)


def _groups(root: Path) -> set[str]:
    try:
        return {folder.name for folder in (root / "conf").iterdir() if folder.is_dir()}
    except OSError as error:
        raise ConfigError(
            "there is no conf/ here", where=str(root), fix="run the command in the project's folder"
        ) from error


def _check_choices(
    root: Path, choices: dict[str, str], values: dict[str, Any], groups: set[str], origins: Origins
) -> None:
    problems = []
    for group, choice in choices.items():
        names = sorted(file.stem for file in (root / "conf" / group).glob("*.yaml"))
        if choice not in names:
            problems.append(
                f"{group}: there is no conf/{group}/{choice}.yaml ({origins.find((group,))}){_nearest(choice, names)}"
            )
    known = set(Project.model_fields)
    for key in values.keys() - known:
        problems.append(f"{key}: unknown section ({origins.find((key,))}){_nearest(key, sorted(known | groups))}")
    _raise(problems)


def _compose_groups(root: Path, choices: dict[str, str]) -> tuple[DictConfig, dict[str, str]]:
    """Let Hydra compose the chosen files; also return the choice of every group."""
    overrides = [f"{group}={choice}" for group, choice in sorted(choices.items())]
    try:
        with initialize_config_dir(config_dir=str((root / "conf").resolve()), version_base="1.3"):
            config = hydra_compose("config", overrides=overrides, return_hydra_config=True)
    except HydraException as error:
        raise ConfigError("conf/ cannot be composed", where="conf/", why=str(error).splitlines()[0]) from error
    chosen = {group: str(choice) for group, choice in config.hydra.runtime.choices.items() if "/" not in group}
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return config, chosen


def _resolve(config: DictConfig, values: dict[str, Any]) -> dict[str, Any]:
    try:
        merged = OmegaConf.merge(config, OmegaConf.create(values))
        resolved = OmegaConf.to_container(merged, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None)
        raise ConfigError("a config value cannot be resolved", where=key, why=str(error).splitlines()[0]) from error
    if not isinstance(resolved, dict):  # a mapping by construction; narrows the type
        raise ConfigError("conf/config.yaml must be a mapping")
    return {str(key): value for key, value in resolved.items()}


def _validate(config: dict[str, Any], origins: Origins, root: Path) -> Project:
    problems: list[str] = []
    project = None
    try:
        project = Project.model_validate_json(json.dumps(config), strict=True)
    except ValidationError as error:
        problems += _describe_all(error, origins, config)
    problems += [f"{_dotted(key)}: {why} ({origins.find(key)})" for key, why in check_targets(config, root)]
    _raise(problems)
    if project is None:  # _raise has raised; narrows the type
        raise ConfigError("the config is wrong")
    return project


def _describe_all(error: ValidationError, origins: Origins, config: dict[str, Any]) -> list[str]:
    """Return one line per wrong key; a union reports each of its members, which belong together."""
    by_key: dict[Key, list[Any]] = {}
    for item in error.errors():
        by_key.setdefault(_real_key(item["loc"], config), []).append(item)
    return [_describe(key, items, origins) for key, items in by_key.items()]


def _describe(key: Key, items: list[Any], origins: Origins) -> str:
    kind, value = items[0]["type"], items[0]["input"]
    if kind == "extra_forbidden":
        return f"{_dotted(key)}: unknown key ({origins.find(key)}){_nearest(str(key[-1]), _siblings(key[:-1]))}"
    if kind == "missing":
        return f"{_dotted(key)}: required, but nowhere set ({origins.find(key[:-1] or key)})"
    shown = type(value).__name__ if isinstance(value, (dict, list)) else json.dumps(value)
    wanted = " or ".join(dict.fromkeys(item["msg"].removeprefix("Input ") for item in items))
    return f"{_dotted(key)}: {wanted}, not {shown} ({origins.find(key)})"


def _real_key(location: Key, config: dict[str, Any]) -> Key:
    """Drop the names of union members that pydantic puts into a location."""
    key: list[str | int] = []
    node: Any = config
    for part in location:
        if isinstance(node, dict) and part not in node and part is not location[-1]:
            break
        if isinstance(node, (dict, list)):
            key.append(part)
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
    return tuple(key)


def _siblings(key: Key) -> list[str]:
    """Return the valid names of the section at ``key``."""
    model: type[BaseModel] = Project
    for part in key:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[str(part)].annotation
        nested = [
            item
            for item in (annotation, *get_args(annotation))
            if isinstance(item, type) and issubclass(item, BaseModel)
        ]
        if not nested:
            return []
        model = nested[0]
    return sorted(model.model_fields)


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; valid: {', '.join(names)}" if names else ""


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key)


def _raise(problems: list[str]) -> None:
    if problems:
        count = "one mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise ConfigError(
            f"the config has {count}; nothing was run", details=problems, fix="correct the lines above, then run again"
        )
