"""Ready sweeps: a file of conf/sweep/ stands for the arguments of a command line."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from stagewise.config.checks.files import choices_of
from stagewise.config.checks.mistakes import describe_validation, dotted, nearest
from stagewise.config.origins import SWEEP
from stagewise.config.params import read_params_file
from stagewise.config.schema.sweep import ReadySweep, Values
from stagewise.errors import ConfigError


def expand(root: Path, arguments: Sequence[str]) -> tuple[list[str], ReadySweep]:
    """Replace ``sweep=<name>`` by what conf/sweep/<name>.yaml says; what else is given goes before it.

    Returns:
        The overrides, and the file (an empty one where none is named).

    Raises:
        ConfigError: there is no such file, or it is wrong; every mistake at once.
    """
    names = [text.partition("=")[2] for text in arguments if text.startswith(f"{SWEEP}=")]
    given = [text for text in arguments if not text.startswith(f"{SWEEP}=")]
    if not names:
        return given, ReadySweep(params={})
    if len(names) > 1:
        raise ConfigError("one sweep at a time", where=" ".join(arguments), fix=f"sweep={names[0]}")
    ready = read_ready(root, names[0])
    keys = {key_of(text) for text in given}
    hydra = [text for text in ready.hydra if key_of(text) not in keys]
    params = [f"{key}={sweep_text(value)}" for key, value in ready.params.items() if key_of(key) not in keys]
    when = {
        condition: kept
        for condition, found in ready.when.items()
        if (kept := {key: value for key, value in found.items() if key_of(key) not in keys})
    }
    return [*hydra, *params, *given], ready.model_copy(update={"when": when})


def read_ready(root: Path, name: str) -> ReadySweep:
    """Read conf/sweep/<name>.yaml.

    Raises:
        ConfigError: there is no such file, or it is wrong; every mistake at once.
    """
    file = Path("conf") / SWEEP / f"{name}.yaml"
    names = choices_of(root, SWEEP) if (root / "conf" / SWEEP).is_dir() else []
    if name not in names:
        raise ConfigError(
            f"there is no {file}{nearest(name, names)}", where=f"sweep={name}", fix="sweep=<a file of conf/sweep/>"
        )
    content = read_params_file(root, file)
    try:
        return ReadySweep.model_validate_json(json.dumps(content), strict=True)
    except (ValidationError, TypeError) as error:
        mistakes = (
            describe_validation(error, content, (), lambda _: list(ReadySweep.model_fields))
            if isinstance(error, ValidationError)
            else []
        )
        raise ConfigError(
            f"{file} is wrong; nothing was run",
            details=[f"{dotted(mistake.key)}: {mistake.why}{mistake.hint}" for mistake in mistakes] or [str(error)],
            fix=f"correct {file}",
        ) from error


def sweep_text(values: Values) -> str:
    """Write what a key is searched over as on a command line."""
    if isinstance(values, list):
        return ",".join(sweep_text(value) if value is not None else "null" for value in values)
    return values if isinstance(values, str) else json.dumps(values)


def deepest_first(overrides: Iterable[str]) -> list[str]:
    """Order overrides as Hydra takes them: ``optimizer=sgd`` before ``optimizer.lr=1`` leaves no section to change."""
    return sorted(overrides, key=lambda text: -key_of(text).count("."))


def sections_first(overrides: Iterable[str]) -> list[str]:
    """Order overrides as params.yaml takes them: a section is chosen, then its values are laid over it."""
    return sorted(overrides, key=lambda text: key_of(text).count("."))


def key_of(override: str) -> str:
    """The key of an override, without its sign."""
    return override.lstrip("+~").partition("=")[0]
