"""Compose params.yaml and conf/ with Hydra and validate the result: all errors at once, each with its place."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from stagewise.config.checks.contradictions import find_contradictions
from stagewise.config.checks.files import HYDRA, check_choice, check_file, choices_of, read_defaults
from stagewise.config.checks.interpolation import blank, check_values, resolve
from stagewise.config.checks.mistakes import Mistake, describe_validation, dotted, nearest
from stagewise.config.checks.signatures import check_targets
from stagewise.config.experiments import lay_over_experiment
from stagewise.config.origins import EXPERIMENT, Key, Origins, groups_of
from stagewise.config.own_targets import read_own_targets
from stagewise.config.params import Params, apply_overrides, read_params, split_choices
from stagewise.config.schema.project import Project
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
    read_own_targets(root)
    kept, mistakes = _check_overrides(overrides)
    params = apply_overrides(read_params(root), kept, groups)
    experiment = params.get(EXPERIMENT)
    in_params = check_file(root, Path("params.yaml"))
    params, in_experiment = lay_over_experiment(root, params, groups)
    in_params += in_experiment
    mistakes += in_params
    choices, values = split_choices(params, groups)
    mistakes += _check_sections(values, groups)
    choices, wrong, unusable = _check_choices(root, choices, groups)
    mistakes += wrong
    if unusable or in_params:
        _raise(mistakes, Origins(root, {}, overrides, experiment))
    config, chosen = _compose_groups(root, choices)
    resolved, more = _resolve(config, values)
    mistakes += more
    mistakes += _check(resolved, root, {mistake.key for mistake in mistakes})
    _raise(mistakes, Origins(root, chosen, overrides, experiment))
    return Project.model_validate_json(json.dumps(resolved), strict=True)


def _groups(root: Path) -> set[str]:
    try:
        return groups_of(root)
    except OSError as error:
        raise ConfigError(
            "there is no conf/ here", where=str(root), fix="run the command in the project's folder"
        ) from error


def _check_overrides(overrides: Sequence[str]) -> tuple[list[str], list[Mistake]]:
    """Drop what is said to Hydra itself, which would go unheard here."""
    kept, mistakes = [], []
    for override in overrides:
        name = override.lstrip("+~").partition("=")[0]
        if name == "hydra" or name.startswith(("hydra.", "hydra/")):
            why = HYDRA
        elif "@" in name:
            why = "a group cannot be put into another package"
        else:
            kept.append(override)
            continue
        mistakes.append(Mistake((name,), why, "", f"command line ({override})"))
    return kept, mistakes


def _check_sections(values: Params, groups: set[str]) -> list[Mistake]:
    """Drop sections of params.yaml that do not exist, or are no section."""
    mistakes = []
    known = Project.model_fields
    for name in list(values):
        value = values[name]
        if name not in known:
            mistakes.append(Mistake((str(name),), "unknown section", nearest(str(name), sorted(known))))
        elif name in groups and not isinstance(value, dict):
            why = f"must be a word (a file of conf/{name}/) or a mapping, not {json.dumps(value, default=str)}"
            mistakes.append(Mistake((name,), why))
        else:
            continue
        del values[name]
    return mistakes


def _check_choices(root: Path, choices: dict[str, str], groups: set[str]) -> tuple[dict[str, str], list[Mistake], bool]:
    """Return the choices that can be composed, the mistakes, and whether they leave nothing to compose.

    A choice of params.yaml that does not exist is left out, so that all other sections are checked as well.
    """
    defaults, mistakes = read_defaults(root, groups)
    unusable = bool(mistakes)
    composed = dict(choices)
    for group in sorted(groups & Project.model_fields.keys()):
        names = choices_of(root, group)
        choice = choices.get(group, defaults.get(group, "???"))
        if choice == "???" and not unusable:
            mistakes.append(Mistake((group,), "no file of this group is chosen", f"; valid: {', '.join(names)}"))
        elif choice not in names and choice != "???":
            why = f"there is no conf/{group}/{choice}.yaml"
            mistakes.append(Mistake((group,), why, nearest(choice, names), _line_of_default(root, group, choices)))
        else:
            broken = [] if choice == "???" else check_choice(root, group, choice)
            mistakes += broken
            unusable |= bool(broken)
            continue
        composed.pop(group, None)
        unusable |= defaults.get(group) not in names
    return composed, mistakes, unusable


def _line_of_default(root: Path, group: str, choices: dict[str, str]) -> str | None:
    """Return where conf/config.yaml chooses for a group that params.yaml does not name."""
    if group in choices:
        return None
    lines = (root / "conf/config.yaml").read_text(encoding="utf-8").splitlines()
    return next((f"conf/config.yaml:{n}" for n, row in enumerate(lines, 1) if f"- {group}:" in row), None)


def _compose_groups(root: Path, choices: dict[str, str]) -> tuple[DictConfig, dict[str, str]]:
    """Let Hydra compose the chosen files; also return the choice of every group."""
    overrides = [f"{group}={choice}" for group, choice in sorted(choices.items())]
    try:
        with initialize_config_dir(config_dir=str((root / "conf").resolve()), version_base="1.3"):
            config = hydra_compose("config", overrides=overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError("conf/ cannot be composed", where="conf/", why=str(error).splitlines()[0]) from error
    chosen = {group: str(choice) for group, choice in config.hydra.runtime.choices.items() if "/" not in group}
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return config, chosen


def _resolve(config: DictConfig, values: Params) -> tuple[dict[str, Any], list[Mistake]]:
    """Lay the values over the chosen files and resolve; what cannot be resolved is null and a mistake."""
    mistakes = list(check_values(values))
    for mistake in mistakes:
        blank(values, mistake.key)
    try:
        merged = _lay_over(OmegaConf.to_container(config, resolve=False), values)
        written = list(check_values(merged))
        for mistake in written:
            blank(merged, mistake.key)
        resolved, unresolved = resolve(merged)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None)
        raise ConfigError("a config value cannot be resolved", where=key, why=str(error).splitlines()[0]) from error
    if not isinstance(resolved, dict):  # a mapping by construction; narrows the type
        raise ConfigError("conf/config.yaml must be a mapping")
    # Through JSON, where every key is a text: what is checked is what pydantic and the stages see.
    return json.loads(json.dumps(resolved)), mistakes + written + unresolved


def _lay_over(base: Any, values: Any) -> Any:
    """Merge mappings key by key; anything else is replaced, also by a value of another kind, which is checked later."""
    if not isinstance(base, dict) or not isinstance(values, dict):
        return values
    return {**base, **{key: _lay_over(base.get(key), value) for key, value in values.items()}}


def _check(config: dict[str, Any], root: Path, known: set[Key]) -> list[Mistake]:
    """Return the mistakes of the resolved config that do not only follow from those at ``known`` keys."""
    mistakes: list[Mistake] = []
    try:
        Project.model_validate_json(json.dumps(config), strict=True)
    except ValidationError as error:
        mistakes += describe_validation(error, config, (), _siblings)
    mistakes += check_targets(config, root)
    wrong = {str(mistake.key[0]) for mistake in mistakes} | {str(key[0]) for key in known}
    mistakes += find_contradictions(_sections(config, wrong), root)
    return [mistake for mistake in mistakes if not any(mistake.key[: len(key)] == key for key in known)]


def _sections(config: dict[str, Any], wrong: set[str]) -> dict[str, BaseModel]:
    """Return the sections of the project that are right in themselves."""
    kinds = {name: field.annotation for name, field in Project.model_fields.items()}
    return {
        name: kind.model_validate_json(json.dumps(config[name]), strict=True)
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, BaseModel) and name in config and name not in wrong
    }


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


def _raise(mistakes: list[Mistake], origins: Origins) -> None:
    if mistakes:
        lines = dict.fromkeys(_line(mistake, origins) for mistake in mistakes)
        count = "one mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        raise ConfigError(
            f"the config has {count}; nothing was run",
            details=list(lines),
            fix="correct the lines above, then run again",
        )


def _line(mistake: Mistake, origins: Origins) -> str:
    place = mistake.place or origins.find(mistake.key)
    return f"{dotted(mistake.key)}: {mistake.why} ({place}){mistake.hint}"
