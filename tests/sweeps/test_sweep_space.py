"""The arguments of a sweep: what is Hydra's, what is the project's, how many trials, and what is wrong."""

from pathlib import Path

import pytest

from stagewise.errors import ConfigError, SweepError
from stagewise.sweeps.space import check_space, grid, read_space, repetitions


@pytest.mark.parametrize(
    ("arguments", "keys", "total"),
    [
        (["model=cnn,mlp"], ["model"], 2),
        (["model=cnn,mlp", "optimizer.lr=1e-3,1e-2", "seed=range(3)"], ["model", "seed", "optimizer.lr"], 12),
        (["seed=choice(1,2,3)"], ["seed"], 3),
        (["seed=4"], ["seed"], 1),
        (["trainer.max_epochs=range(2,7,2)"], ["trainer.max_epochs"], 3),
        (["optimizer.lr=interval(1e-4,1e-1)", "hydra/sweeper=optuna"], ["optimizer.lr"], None),
        (["optimizer.lr=interval(1e-4,1e-1)"], ["optimizer.lr"], None),
        (["model=cnn,mlp", "hydra/launcher=basic"], ["model"], 2),
        (["+optimizer.momentum=0.5,0.9"], ["optimizer.momentum"], 2),
    ],
)
def test_arguments_are_sorted_and_counted(arguments: list[str], keys: list[str], total: int | None) -> None:
    space = read_space(arguments)
    assert ([item.key for item in space.dimensions], space.total) == (keys, total)
    assert sorted([*space.plain, *space.hydra]) == sorted(arguments)


def test_a_section_is_chosen_before_its_values_are_laid_over_it() -> None:
    space = read_space(["optimizer.lr=1,2", "optimizer=adamw,sgd"])
    assert next(iter(grid(space))) == ["optimizer=adamw", "optimizer.lr=1"]


@pytest.mark.parametrize("argument", ["model", "seed=range("])
def test_what_hydra_cannot_read_is_told(argument: str) -> None:
    with pytest.raises(SweepError, match="Hydra cannot read"):
        read_space([argument])


def test_a_key_counts_only_under_its_condition() -> None:
    space = read_space(
        ["model=cnn,mlp", "seed=range(2)"],
        {"model=mlp": {"model.hidden": ["[8]", "[16]"]}, "model.hidden=[8]": {"model.dropout": "0.1,0.2"}},
    )
    found = [tuple(sorted(combination)) for combination in grid(space)]
    assert len(found) == len(set(found)) == space.total == 2 * (1 + 1 + 2)
    assert ("model=cnn", "seed=0") in found
    assert ("model.dropout=0.2", "model.hidden=[8]", "model=mlp", "seed=1") in found
    assert ("model.hidden=[16]", "model=mlp", "seed=1") in found


def test_conditions_compare_values_not_their_writing() -> None:
    space = read_space(["optimizer.lr=1e-2,0.1"], {"optimizer.lr=0.01": {"trainer.max_epochs": [1, 2]}})
    assert space.total == 3


def test_deletions_go_into_every_trial() -> None:
    assert list(grid(read_space(["~trainer.ema_decay", "seed=1,2"]))) == [
        ["seed=1", "~trainer.ema_decay"],
        ["seed=2", "~trainer.ema_decay"],
    ]


def test_a_condition_names_a_key_that_is_searched() -> None:
    with pytest.raises(SweepError, match="about a key that is not searched"):
        read_space(["model=cnn"], {"optimizer=sgd": {"optimizer.momentum": "0.5,0.9"}})


def test_a_condition_that_is_never_met_is_told(project: Path) -> None:
    with pytest.raises(SweepError, match="model=mlp is never met"):
        check_space(project, read_space(["model=cnn"], {"model=mlp": {"model.dropout": 0.1}}))


def test_seeds_are_repetitions() -> None:
    points, seeds = repetitions(read_space(["model=cnn,mlp", "seed=range(3)"]))
    assert ([item.key for item in points.dimensions], seeds) == (["model"], ["seed=0", "seed=1", "seed=2"])
    assert repetitions(read_space(["model=cnn"]))[1] == [""]


def test_every_value_is_tried_before_the_first_trial(project: Path) -> None:
    checked = check_space(project, read_space(["model=mlp,cnn", "optimizer.lr=1e-3,1e-2", "seed=range(3)"]))
    assert checked.model.target.endswith("MLP")
    for arguments, said in (
        (["model=cnn,cnm"], "there is no conf/model/cnm.yaml"),
        (["optimizer.lr=0.1,fast"], "optimizer.lr"),
        (["seed=range(-1,2)"], "seed"),
        (["optimizer.lrr=1,2"], "optimizer.lrr"),
        (["model.dropout=interval(0.0,1.5)"], "model.dropout"),
    ):
        with pytest.raises(ConfigError) as caught:
            check_space(project, read_space(arguments))
        assert said in str(caught.value)
        assert "none was run" in str(caught.value)


def test_values_under_a_condition_are_tried_too(project: Path) -> None:
    when = {"optimizer=sgd": {"optimizer.momentum": [0.9, 1.5]}}
    with pytest.raises(ConfigError, match="none was run") as caught:
        check_space(project, read_space(["optimizer=adamw,sgd"], when))
    assert "optimizer=sgd" in str(caught.value)
    assert "optimizer.momentum" in str(caught.value)
