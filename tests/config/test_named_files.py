"""Files that a config names enter the stage's key by their content."""

from pathlib import Path

import pytest
import yaml

from stagewise.config.digests import digest_path
from stagewise.config.environment import environment_moved
from stagewise.config.named_files import named_files
from stagewise.config.resolve import configure


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "own" / "encoder").mkdir(parents=True)
    (tmp_path / "own" / "encoder" / "config.json").write_text("{}")
    (tmp_path / "own" / "a.bin").write_text("a")
    (tmp_path / "dvc.yaml").write_text("stages: {train: {cmd: x, deps: [data/own]}}")
    return tmp_path


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ({"init_from": "own/a.bin"}, ["own/a.bin"]),
        (
            {"model": {"source": "own/encoder"}, "more": [{"again": "own/encoder"}, "own/a.bin"]},
            ["own/a.bin", "own/encoder"],
        ),
        ({"name": "own"}, []),  # a word, though there is such a folder
        ({"source": "someone/encoder", "url": "https://x.org/a.bin", "text": "a/" * 5000, "zero": "a/\0"}, []),
        ({"number": 1, "nothing": None}, []),
    ],
    ids=["file", "folder", "word", "no such path", "no text"],
)
def test_which_values_are_files(root: Path, config: dict, paths: list[str]) -> None:
    assert list(named_files("train", config, root)) == paths


def test_what_dvc_follows_is_left_to_it(root: Path) -> None:
    (root / "data" / "own").mkdir(parents=True)
    (root / "data" / "own" / "a.bin").write_text("a")
    assert named_files("train", {"path": "data/own/a.bin"}, root) == {}
    assert list(named_files("evaluate", {"path": "data/own/a.bin"}, root)) == ["data/own/a.bin"]


def test_content_and_names_of_a_folder_count(root: Path) -> None:
    folder = root / "own" / "encoder"
    digests = [digest_path(folder)]
    (folder / "config.json").write_text("{1: 2}")
    digests.append(digest_path(folder))
    (folder / "config.json").rename(folder / "other.json")
    digests.append(digest_path(folder))
    (folder / "other.json").rename(folder / "config.json")
    (folder / "config.json").write_text("{}")
    assert digest_path(folder) == digests[0]
    assert len(set(digests)) == 3
    assert digest_path(folder / "nothing") == "absent"


def test_an_edit_of_a_named_file_is_noticed(project: Path) -> None:
    weights = project / "weights" / "start.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    configure(project, ["+trainer.init_from=weights/start.safetensors"])
    entry = yaml.safe_load((project / "build" / "train.yaml").read_text())
    assert entry["files"] == {"weights/start.safetensors": digest_path(weights)}
    assert "files" not in yaml.safe_load((project / "build" / "preprocess.yaml").read_text())
    assert not environment_moved(project)
    weights.write_bytes(b"two")
    assert environment_moved(project)
    configure(project, ["+trainer.init_from=weights/start.safetensors"])
    other = yaml.safe_load((project / "build" / "train.yaml").read_text())
    assert other["key"] != entry["key"] and not environment_moved(project)
