"""The arguments of a sweep: what is Hydra's, what is the project's, how many trials, and what is wrong."""

from pathlib import Path

import pytest

from stagewise.errors import ConfigError, SweepError
from stagewise.sweeps.space import check_space, read_space


@pytest.mark.parametrize(
    ("arguments", "keys", "total"),
    [
        (["model=cnn,mlp"], ["model"], 2),
        (["model=cnn,mlp", "optimizer.lr=1e-3,1e-2", "seed=range(3)"], ["model", "optimizer.lr", "seed"], 12),
        (["seed=choice(1,2,3)"], ["seed"], 3),
        (["seed=4"], ["seed"], 1),
        (["trainer.max_epochs=range(2,7,2)"], ["trainer.max_epochs"], 3),
        (["optimizer.lr=interval(1e-4,1e-1)", "hydra/sweeper=optuna"], ["optimizer.lr"], None),
        (["model=cnn,mlp", "sweep=grid"], ["model"], None),
        (["+optimizer.momentum=0.5,0.9"], ["optimizer.momentum"], 2),
    ],
)
def test_arguments_are_sorted_and_counted(arguments: list[str], keys: list[str], total: int | None) -> None:
    space = read_space(arguments)
    assert (space.keys, space.total) == (keys, total)
    assert [*space.project, *space.hydra] == arguments


@pytest.mark.parametrize("argument", ["model", "seed=range("])
def test_what_hydra_cannot_read_is_told(argument: str) -> None:
    with pytest.raises(SweepError, match="Hydra cannot read"):
        read_space([argument])


def test_every_value_is_tried_before_the_first_trial(project: Path) -> None:
    check_space(project, read_space(["model=cnn,mlp", "optimizer.lr=1e-3,1e-2", "seed=range(3)"]))
    for arguments, said in (
        (["model=cnn,cnm"], "there is no conf/model/cnm.yaml"),
        (["optimizer.lr=0.1,fast"], "optimizer.lr"),
        (["seed=range(-1,2)"], "seed"),
        (["optimizer.lrr=1,2"], "optimizer.lrr"),
    ):
        with pytest.raises(ConfigError) as caught:
            check_space(project, read_space(arguments))
        assert said in str(caught.value)
        assert "none was run" in str(caught.value)
