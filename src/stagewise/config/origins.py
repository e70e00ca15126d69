"""Where a config value was written, so that an error can name the file and line."""

from collections.abc import Sequence
from pathlib import Path

import yaml

Key = tuple[str | int, ...]

EXPERIMENT = "experiment"
"""The key of params.yaml that names a bundle of sections, and the folder below conf/ where bundles lie."""


SWEEP = "sweep"
"""The folder below conf/ where ready sweeps lie."""


def groups_of(root: Path) -> set[str]:
    """Return the config groups of the project at ``root``: folders of conf/ whose files are choices of a section.

    Raises:
        OSError: there is no conf/.
    """
    return {folder.name for folder in (root / "conf").iterdir() if folder.is_dir()} - {EXPERIMENT, SWEEP}


def experiment_file(name: str) -> Path:
    """Return the file of an experiment, relative to the project."""
    return Path("conf") / EXPERIMENT / f"{name}.yaml"


class Origins:
    """Finds the file and line of a config key: an override, params.yaml, the experiment, or the chosen conf/ file."""

    def __init__(
        self, root: Path, choices: dict[str, str], overrides: Sequence[str] = (), experiment: str | None = None
    ) -> None:
        """Remember which file was ``choices`` for each group, the overrides of the command line, the experiment."""
        self._root = root
        self._plain = [Path("params.yaml"), *([experiment_file(experiment)] if experiment else [])]
        self._choices = choices
        self._overrides = overrides

    def find(self, key: Key) -> str:
        """Return ``file:line`` of the key, or of its nearest parent that was written down."""
        return self._nearest(key)[1]

    def written(self, key: Key) -> str | None:
        """Return where this very key was written, or None where no file and no override spells it out."""
        depth, place = self._nearest(key)
        return place if depth == len(key) else None

    def _nearest(self, key: Key) -> tuple[int, str]:
        """Return how many parts of the key are spelt out, and where."""
        dotted = ".".join(str(part) for part in key)
        for override in self._overrides:
            name = override.lstrip("+~").partition("=")[0]
            if dotted == name or (dotted.startswith(f"{name}.") and name not in self._choices):
                return len(key), f"command line ({override})"
        group = str(key[0])
        places = [(file, key) for file in (*self._plain, Path("conf/config.yaml"))]
        if group in self._choices:
            places.insert(-1, (Path("conf") / group / f"{self._choices[group]}.yaml", key[1:]))
        found = [(self._depth_and_line(file, path), file) for file, path in places]
        written = [(depth, -rank, file, line) for rank, ((depth, line), file) in enumerate(found) if line]
        if not written:
            return 0, "params.yaml"
        depth, _, file, line = max(written, key=lambda item: item[:2])
        return depth, f"{file.as_posix()}:{line}"

    def _depth_and_line(self, file: Path, key: Key) -> tuple[int, int]:
        """Return how many parts of the key the file spells out, and the line of the last of them."""
        path = self._root / file
        if not path.is_file():
            return 0, 0
        prefix = 0 if file in self._plain or file == Path("conf/config.yaml") else 1
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        line, depth = (1 if prefix else 0), prefix
        for part in key:
            node, mark = _child(node, part)
            if mark is None:
                break
            line, depth = mark.line + 1, depth + 1
        return depth, line


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node | None, yaml.Mark | None]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(part):
                return value, name.start_mark
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark
    return None, None
