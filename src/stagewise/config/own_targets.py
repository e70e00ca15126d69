"""conf/targets.yaml: the one place where a project adds its own classes to those that a config may name."""

import sys
from functools import cache
from pathlib import Path

import yaml

from stagewise.errors import ConfigError

FILE = "conf/targets.yaml"

DENIED = sys.stdlib_module_names | {
    "cloudpickle", "dill", "dvc", "fsspec", "huggingface_hub", "hydra", "joblib", "numpy", "omegaconf", "pandas",
    "pip", "pkg_resources", "pyarrow", "setuptools", "sklearn", "stagewise", "yaml",
}  # fmt: skip
"""Packages that can not be opened to configs: they run commands, write files, or load what runs when loaded."""

PARTLY = {"torch": ("torch.nn.", "torch.optim."), "pytorch_lightning": (), "lightning": ()}
"""Packages of which only these parts can be opened."""


def read_own_targets(root: Path) -> tuple[str, ...]:
    """Return the entries of conf/targets.yaml below ``root``: dotted names, or prefixes ``package.*``.

    A project without the file has none. Nothing else widens the list: no variable, no override.

    Raises:
        ConfigError: the file is no list of names, or opens something dangerous.
    """
    path = root / FILE
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    return _read(path, status.st_mtime_ns, status.st_size)


def matches(name: str, entries: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the entries, or lies below one that ends in ``.*``."""
    return any(name == entry or (entry.endswith(".*") and name.startswith(entry[:-1])) for entry in entries)


def why_denied(name: str) -> str | None:
    """Say why a dotted name (or ``package.*``) can never be a target; None where it can."""
    parts = name.removesuffix(".*").split(".")
    if not all(part.isidentifier() and part.isascii() and not part.startswith("_") for part in parts):
        return "it is not a public dotted name, or a package followed by .*"
    if parts[0] in DENIED:
        return f"{parts[0]} can not be opened to configs: it can run commands, or read and write any file"
    if parts[0] in PARTLY and not name.startswith(PARTLY[parts[0]]):
        allowed = " or ".join(f"{part}*" for part in PARTLY[parts[0]])
        return f"of {parts[0]} {f'only {allowed}' if allowed else 'nothing'} can be opened to configs"
    if len(parts) == 1 and not name.endswith(".*"):
        return "it names a package, not a class: write the class, or package.*"
    return None


@cache
def _read(path: Path, _modified: int, _size: int) -> tuple[str, ...]:
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{FILE}:{mark.line + 1}" if mark else FILE
        raise ConfigError(f"{FILE} is not valid YAML", where=place, why=getattr(error, "problem", None)) from error
    if document is None:
        return ()
    if not isinstance(document, yaml.SequenceNode):
        raise ConfigError(f"{FILE} must be a list of dotted names", where=f"{FILE}:1", fix="- mypackage.nets.*")
    problems = []
    for item in document.value:
        scalar = isinstance(item, yaml.ScalarNode)
        why = why_denied(item.value) if scalar else "it is not a name"
        if why:
            shown = repr(item.value) if scalar else "an entry"
            problems.append(f"{shown}: {why} ({FILE}:{item.start_mark.line + 1})")
    if problems:
        raise ConfigError(f"{FILE} opens what must stay closed", details=problems, fix="name classes of your own")
    return tuple(item.value for item in document.value)
