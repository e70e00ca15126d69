"""A verified package, to be written in another form."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagewise.packaging import integrity
from stagewise.packaging.folder import listed_files


@dataclass(frozen=True, slots=True)
class Contents:
    """What a layout is made from."""

    folder: Path
    name: str
    version: str
    schema: dict[str, Any]
    """schema.json."""

    @classmethod
    def verified(cls, folder: Path) -> "Contents":
        """Verify a package and read what a layout needs.

        Raises:
            PredictorError: the folder is no package, or a file is missing, changed or foreign, or the graph refers to
                what lies outside.
        """
        manifest = integrity.verify(folder)
        integrity.check_graph(integrity.read_listed(folder, manifest, integrity.MODEL), folder / integrity.MODEL)
        schema = integrity.parse(integrity.read_listed(folder, manifest, integrity.SCHEMA), folder / integrity.SCHEMA)
        return cls(folder, manifest["name"], manifest["version"], schema)

    @property
    def feature(self) -> dict[str, Any]:
        """The one input, as schema.json describes it."""
        return dict(self.schema["inputs"][0])

    @property
    def classes(self) -> list[str]:
        """The class names; none where the model does not choose among classes."""
        return list(self.schema["target"].get("classes") or [])

    def copy_to(self, target: Path) -> None:
        """Copy every file of the package, and nothing else, into the new folder ``target``."""
        for name, path in listed_files(self.folder).items():
            self._copy(path, target / name)

    def copy(self, name: str, target: Path) -> None:
        """Copy one file of the package to ``target``."""
        self._copy(self.folder / name, target)

    def _copy(self, source: Path, target: Path) -> None:
        """The content alone: a file of the DVC cache is read-only."""
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def write_text(path: Path, text: str) -> None:
    """Write a text file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, making its folder."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
