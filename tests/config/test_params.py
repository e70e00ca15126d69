"""params.yaml and the overrides laid over it."""

import pytest

from stagewise.config.params import apply_overrides, read_params, split_choices
from stagewise.errors import ConfigError

GROUPS = {"model", "trainer"}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model=mlp"], {"model": "mlp", "trainer": {"use": "default", "max_epochs": 12}, "seed": 0}),
        (["trainer=gpu"], {"model": "cnn", "trainer": "gpu", "seed": 0}),
        (["trainer.max_epochs=1"], {"model": "cnn", "trainer": {"use": "default", "max_epochs": 1}, "seed": 0}),
        (
            ["model.hidden=64"],
            {"model": {"use": "cnn", "hidden": 64}, "trainer": {"use": "default", "max_epochs": 12}, "seed": 0},
        ),
        (
            ["+model.a.b=[1,2]"],
            {"model": {"use": "cnn", "a": {"b": [1, 2]}}, "trainer": {"use": "default", "max_epochs": 12}, "seed": 0},
        ),
        (["~trainer.max_epochs"], {"model": "cnn", "trainer": {"use": "default"}, "seed": 0}),
        (["seed=7"], {"model": "cnn", "trainer": {"use": "default", "max_epochs": 12}, "seed": 7}),
    ],
)
def test_overrides_change_the_section_they_name(overrides: list[str], expected: dict[str, object]) -> None:
    params = {"model": "cnn", "trainer": {"use": "default", "max_epochs": 12}, "seed": 0}
    assert apply_overrides(params, overrides, GROUPS) == expected
    assert params == {"model": "cnn", "trainer": {"use": "default", "max_epochs": 12}, "seed": 0}


def test_choices_and_values_are_told_apart() -> None:
    params = {"model": "cnn", "trainer": {"use": "gpu", "max_epochs": 3}, "seed": 0}
    assert split_choices(params, GROUPS) == (
        {"model": "cnn", "trainer": "gpu"},
        {"trainer": {"max_epochs": 3}, "seed": 0},
    )


@pytest.mark.parametrize(
    ("overrides", "fragment"),
    [
        (["x=[1"], "'x=[1' is not an override"),
        (["model"], "'model' is not an override"),
        (["seed=1,2"], "names several values"),
        (["~trainer.epochs"], "deletes a key that params.yaml does not have"),
    ],
)
def test_wrong_overrides_are_refused(overrides: list[str], fragment: str) -> None:
    with pytest.raises(ConfigError, match=r".") as caught:
        apply_overrides({"trainer": {"use": "default"}}, overrides, GROUPS)
    assert fragment in str(caught.value)


def test_numbers_are_read_as_in_conf(tmp_path) -> None:
    (tmp_path / "params.yaml").write_text("optimizer: {use: adamw, lr: 1e-3}\n")
    assert read_params(tmp_path) == {"optimizer": {"use": "adamw", "lr": 0.001}}


@pytest.mark.parametrize(
    ("text", "fragment"),
    [(None, "params.yaml is missing"), ("a: [1\n", "not valid YAML"), ("- a\n", "must be a mapping")],
)
def test_an_unreadable_params_file_is_named(tmp_path, text: str | None, fragment: str) -> None:
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_params(tmp_path)
    assert fragment in str(caught.value)
