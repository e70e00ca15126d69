"""params.yaml: the one file people edit, and the overrides of a command line laid over it.

A section is either one word, the choice within its config group, or a mapping whose key ``use`` is the
choice and whose other keys are values laid over it::

    model: cnn
    trainer: {use: default, max_epochs: 12}
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stagewise.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

Params = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as a number, as OmegaConf does in conf/."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_params(root: Path) -> Params:
    """Read params.yaml.

    Raises:
        ConfigError: the file is missing, is not YAML, or is not a mapping.
    """
    return read_params_file(root, Path("params.yaml"))


def read_params_file(root: Path, file: Path) -> Params:
    """Read a file that is written like params.yaml.

    Raises:
        ConfigError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        params = yaml.load((root / file).read_text(encoding="utf-8"), Loader=_Loader) or {}
    except FileNotFoundError as error:
        raise ConfigError(f"{file} is missing", where=str(root), fix="start from a clone of the project") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{file} is not valid YAML", where=_yaml_place(file, error), why=_yaml_problem(error)
        ) from error
    if not isinstance(params, dict):
        raise ConfigError(f"{file} must be a mapping of sections", where=f"{file}:1")
    return {str(key): value for key, value in params.items()}


def apply_overrides(params: Params, overrides: Sequence[str], groups: set[str]) -> Params:
    """Lay Hydra overrides over params, as ``dvc exp run -S`` does.

    ``model=mlp`` replaces the section, ``trainer.max_epochs=1`` sets one value, ``~trainer.max_epochs`` drops it.

    Raises:
        ConfigError: an override is not Hydra syntax, or sweeps over values.
    """
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in params.items()}
    for override in _parse(overrides):
        path = override.key_or_group.replace("/", ".").split(".")
        if override.is_delete():
            _delete(result, path)
        else:
            _set(result, path, override.value(), groups)
    return result


def split_choices(params: Params, groups: set[str]) -> tuple[dict[str, str], Params]:
    """Cut params into the choice per group and the values laid over the choices."""
    choices: dict[str, str] = {}
    values: Params = {}
    for key, value in params.items():
        if key in groups and isinstance(value, str):
            choices[key] = value
        elif key in groups and isinstance(value, dict):
            if "use" in value:
                choices[key] = str(value["use"])
            values[key] = {name: child for name, child in value.items() if name != "use"}
        else:
            values[key] = value
    return choices, values


def _parse(overrides: Sequence[str]) -> "list[Override]":
    # `stagewise verify` reads params.yaml too, where Hydra need not be installed.
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise ConfigError(
            f"{error.override!r} is not an override",
            why=str(error).splitlines()[0],
            fix="write key=value, for example model=mlp",
        ) from error
    for override in parsed:
        if override.is_sweep_override():
            raise ConfigError(f"{override.input_line!r} names several values", fix="give one value")
    return parsed


def _set(params: Params, path: list[str], value: Any, groups: set[str]) -> None:
    if len(path) > 1 and path[0] in groups and not isinstance(params.get(path[0]), dict):
        params[path[0]] = {} if params.get(path[0]) is None else {"use": params[path[0]]}
    node = params
    for part in path[:-1]:
        child = node.get(part)
        node[part] = dict(child) if isinstance(child, dict) else {}
        node = node[part]
    node[path[-1]] = value


def _delete(params: Params, path: list[str]) -> None:
    node: Any = params
    for part in path[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict) or path[-1] not in node:
        raise ConfigError(f"~{'.'.join(path)} deletes a key that params.yaml does not have", where="params.yaml")
    del node[path[-1]]


def _yaml_place(file: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{file}:{mark.line + 1}" if mark else str(file)


def _yaml_problem(error: yaml.YAMLError) -> str:
    return getattr(error, "problem", None) or str(error)
