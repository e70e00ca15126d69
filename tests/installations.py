"""The command as it runs where only some extras of this project are installed."""

import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

_RUN = """
import runpy, sys

class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else self.finder.find_spec(name, path, target)

hidden = set(sys.argv[1].split(","))
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
sys.argv[:] = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(
    extras: tuple[str, ...], *arguments: object, cwd: Path, module: str = "stagewise"
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m module`` with every library hidden that the core and these extras do not bring."""
    return subprocess.run(command(extras, *arguments, module=module), cwd=cwd, capture_output=True, text=True)


def command(extras: tuple[str, ...], *arguments: object, module: str = "stagewise") -> list[str]:
    """The same as a command line."""
    return [sys.executable, "-c", _RUN, ",".join(hidden(extras)), module, *map(str, arguments)]


@cache
def hidden(extras: tuple[str, ...]) -> tuple[str, ...]:
    """Modules of all libraries here that the core and these extras do not bring."""
    there = brought(extras) | {"stagewise", "setuptools"}
    owners = {name: set(map(canonicalize_name, found)) for name, found in packages_distributions().items()}
    return tuple(sorted(name for name, found in owners.items() if not found & there))


@cache
def brought(extras: tuple[str, ...], core: bool = True) -> frozenset[str]:
    """Distributions that pip would install, as far as they are here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    todo = [*project["dependencies"]] if core else []
    todo += [line for extra in extras for line in project["optional-dependencies"][extra]]
    found: set[str] = set()
    while todo:
        wanted = Requirement(todo.pop())
        name = canonicalize_name(wanted.name)
        if name not in found:
            found.add(name)
            todo += _requirements(name, wanted.extras)
    return frozenset(found)


def _requirements(name: str, extras: set[str]) -> list[str]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # one of another system or Python
        return []
    return [line for line in lines if _holds(Requirement(line), extras)]


def _holds(wanted: Requirement, extras: set[str]) -> bool:
    marker = wanted.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
