"""An upgrade of a library, or of Python, is noticed by `stagewise repro`."""

from pathlib import Path

import pytest
import yaml

from stagewise.config.environment import environment_moved
from stagewise.config.resolve import configure


def test_nothing_moved_right_after_configure(project: Path) -> None:
    configure(project)
    assert not environment_moved(project)


@pytest.mark.parametrize(("library", "version"), [("numpy", "1.0.0"), ("python", "2.7"), ("no-such-library", "1.0")])
def test_another_version_is_noticed(project: Path, library: str, version: str) -> None:
    configure(project)
    file = project / "build" / "preprocess.yaml"
    entry = yaml.safe_load(file.read_text())
    entry["libraries"][library] = version
    file.write_text(yaml.safe_dump(entry))
    assert environment_moved(project)


def test_a_missing_folder_is_left_to_dvc(tmp_path: Path) -> None:
    assert not environment_moved(tmp_path)
