"""The files of conf/sweep/: each composes, the command line goes over it, and mistakes are told with their key."""

from pathlib import Path

import pytest

from stagewise.errors import ConfigError
from stagewise.sweeps.ready import expand, read_ready, sweep_text
from stagewise.sweeps.space import check_space, read_space

NAMES = sorted(file.stem for file in (Path(__file__).parents[2] / "conf/sweep").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_ready_sweep_is_right_for_the_default_project(project: Path, name: str) -> None:
    overrides, ready = expand(project, [f"sweep={name}"])
    check_space(project, read_space(overrides, ready.when))


def test_the_command_line_goes_over_the_file(project: Path) -> None:
    given = ["optimizer.lr=0.5", "sweep=tpe", "hydra.sweeper.n_trials=3", "model.hidden=[8]"]
    overrides, ready = expand(project, given)
    assert [text for text in overrides if "lr=" in text] == ["optimizer.lr=0.5"]
    assert [text for text in overrides if "n_trials" in text] == ["hydra.sweeper.n_trials=3"]
    assert ready.when.keys() == {"model=cnn"}


def test_without_a_file_nothing_is_added(project: Path) -> None:
    overrides, ready = expand(project, ["model=cnn"])
    assert (overrides, ready.params, ready.when, ready.prune) == (["model=cnn"], {}, {}, None)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ("1e-3,1e-2", "1e-3,1e-2"),
        (["cnn", "mlp"], "cnn,mlp"),
        ([0.001, 5, True, None], "0.001,5,true,null"),
        (3, "3"),
        (False, "false"),
        (["[8]", "[16,32]"], "[8],[16,32]"),
    ],
)
def test_values_are_written_as_on_a_command_line(values: object, text: str) -> None:
    assert sweep_text(values) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("param: {seed: 1}\n", ["conf/sweep/mine.yaml is wrong", "param: unknown key; did you mean params?"]),
        ("params: {seed: 1}\nprune: never\n", ["prune:", "'hyperband', 'halving' or 'median'"]),
        ("params: {seed: 1}\nwhen: {model: {seed: 2}}\n", ["when.model", "pattern"]),
        ("params: {seed: {a: 1}}\n", ["params.seed"]),
        ("params: [\n", ["conf/sweep/mine.yaml is not valid YAML"]),
        ("{}\n", ["params: required"]),
    ],
)
def test_what_is_wrong_with_a_file(project: Path, text: str, words: list[str]) -> None:
    (project / "conf/sweep/mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_ready(project, "mine")
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_file_is_told_with_what_is_near(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no conf/sweep/quik\.yaml; did you mean quick\?"):
        expand(project, ["sweep=quik"])
    with pytest.raises(ConfigError, match="one sweep at a time"):
        expand(project, ["sweep=quick", "sweep=tpe"])
