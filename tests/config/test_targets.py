"""Which classes a config may name, and how they are built."""

import pytest

from stagewise.config.schema.base import Target
from stagewise.config.targets import build, find_targets, is_allowed
from stagewise.errors import ConfigError


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "builtins.eval", "builtins.exec", "subprocess.Popen", "torch.load", "torch.hub.load", "joblib.load",
        "pickle.loads", "importlib.import_module", "hydra.utils.instantiate", "stagewise.errors.StagewiseError",
        "stagewise.config.targets.build", "stagewise.models", "stagewise.models..cnn", "stagewise.models.cnn.__builtins__",
        "stagewise.models.cnn._private", "stagewise.modelsx.cnn.CNN", "torch.optim.AdamW.__init__", "torch.optim", "",
        "stagewise.models.cnn.CNN ", "numpy.load", "shutil.rmtree", "stagewise.models/../cli.main",
    ],
)  # fmt: skip
def test_anything_else_is_refused(name: str) -> None:
    assert not is_allowed(name)
    with pytest.raises(ConfigError) as caught:
        build(Target.model_validate({"_target_": name}))
    assert "is not allowed" in str(caught.value)


def test_nested_targets_are_refused_too() -> None:
    target = Target.model_validate({"_target_": "stagewise.models.mlp.MLP", "hidden": [{"_target_": "os.getcwd"}]})
    with pytest.raises(ConfigError, match=r"'os\.getcwd' is not allowed"):
        build(target, input_shape=(1, 2, 2), outputs=2)


def test_every_target_of_a_nested_config_is_found() -> None:
    config = {"a": {"_target_": "x", "b": [{"_target_": "y"}]}, "c": 1}
    assert list(find_targets(config)) == [(("a",), "x"), (("a", "b", 0), "y")]


def test_a_wrong_argument_is_an_error_of_the_config() -> None:
    with pytest.raises(ConfigError, match=r"stagewise\.models\.mlp\.MLP cannot be built"):
        build(
            Target.model_validate({"_target_": "stagewise.models.mlp.MLP", "nope": 1}), input_shape=(1, 2, 2), outputs=2
        )


def test_a_target_that_does_not_exist_is_an_error_of_the_config() -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        build(Target.model_validate({"_target_": "stagewise.models.nope.Net"}))
