"""``stagewise diff``: what enters the stages at one revision and not at another."""

import io
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from stagewise.config.inspect.difference import differences, print_differences
from stagewise.config.resolve import configure
from stagewise.errors import ConfigError


def git(root: Path, *arguments: str) -> None:
    name = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *name, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path, *overrides: str) -> None:
    configure(root, overrides)
    git(root, "add", "build")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "configured")


@pytest.fixture
def repository(project: Path) -> Path:
    """A project in which the config as it stands is committed."""
    git(project, "init", "--quiet")
    commit(project)
    return project


def printed(root: Path, old: str, new: str | None = None) -> str:
    stream = io.StringIO()
    print_differences(differences(root, old, new), Console(file=stream, width=80, highlight=False))
    return stream.getvalue()


def test_equal_revisions_have_no_difference(repository: Path) -> None:
    assert printed(repository, "HEAD") == "no difference\n"
    assert printed(repository, "HEAD", "HEAD") == "no difference\n"


def test_two_revisions_differ_in_values_modules_and_their_stages(repository: Path) -> None:
    commit(repository, "optimizer.lr=0.5", "version=9.9.9")
    assert printed(repository, "HEAD~1", "HEAD").splitlines() == [
        "train",
        "  optimizer.lr 0.005 -> 0.5",
        "package",
        "  version 0.1.0 -> 9.9.9",
    ]
    assert "  optimizer.lr 0.5 -> 0.005" in printed(repository, "HEAD", "HEAD~1")


def test_another_network_shows_its_module(repository: Path) -> None:
    commit(repository, "model=mlp")
    text = printed(repository, "HEAD~1", "HEAD")
    assert "  model._target_ stagewise.models.cnn.CNN -> stagewise.models.mlp.MLP" in text
    assert "  src/stagewise/models/cnn.py removed" in text
    assert "  src/stagewise/models/mlp.py added" in text


def test_the_working_tree_is_the_config_as_it_stands_not_the_files_in_build(repository: Path) -> None:
    before = (repository / "build" / "train.yaml").read_text()
    params = repository / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.005", "lr: 0.25"))
    assert printed(repository, "HEAD").splitlines() == ["train", "  optimizer.lr 0.005 -> 0.25"]
    assert (repository / "build" / "train.yaml").read_text() == before


def test_a_library_version_and_a_missing_stage(repository: Path) -> None:
    file = repository / "build" / "train.yaml"
    file.write_text(file.read_text().replace("torch: ", "torch: 1."))
    (repository / "build" / "package.yaml").unlink()
    git(repository, "add", "build")
    git(repository, "commit", "--quiet", "-m", "edited")
    found = {item.stage: item for item in differences(repository, "HEAD")}
    assert len(found["train"].changes.libraries) == 1
    assert found["train"].changes.libraries[0].startswith("torch 1.")
    assert found["package"].only == "new"
    assert "package  only in the new one" in printed(repository, "HEAD")


@pytest.mark.parametrize("revision", ["nope", "--all", "HEAD~9", "HEAD:build"])
def test_a_bad_revision_is_one_message(repository: Path, revision: str) -> None:
    with pytest.raises(ConfigError) as error:
        differences(repository, revision)
    assert f"git knows no revision {revision!r} here" in str(error.value)


def test_a_revision_without_resolved_files_is_one_message(project: Path) -> None:
    git(project, "init", "--quiet")
    git(project, "commit", "--quiet", "--allow-empty", "-m", "empty")
    with pytest.raises(ConfigError, match="holds no build"):
        differences(project, "HEAD")
