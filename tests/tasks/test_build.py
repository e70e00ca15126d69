import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from parts import IMAGE_NETWORK
from safetensors.torch import save_file

from stagewise.config.schema.train import NetworkSettings
from stagewise.data.features.entries import ImageEntry
from stagewise.data.schema import ClassTarget, DataSchema
from stagewise.errors import ConfigError, TrainingError
from stagewise.tasks.build import WEIGHTS, build_inference, load_inference, set_threads
from stagewise.tasks.weights import save_weights

MLP = {"_target_": "stagewise.models.mlp.MLP", "hidden": [4]}


def settings(model: dict[str, Any] = MLP, seed: int = 0) -> NetworkSettings:
    return NetworkSettings.model_validate({"seed": seed, "threads": 1, "model": model, **IMAGE_NETWORK})


@pytest.fixture
def schema() -> DataSchema:
    feature = ImageEntry(shape=(4, 4, 1), resize="bilinear", mean=[0.3], std=[0.2])
    return DataSchema(name="x", features=[feature], target=ClassTarget(classes=["a", "b"]), splits={})


def test_start_is_a_function_of_the_seed(schema: DataSchema) -> None:
    states = [build_inference(settings(seed=seed), schema).state_dict() for seed in (0, 0, 1)]
    name = "network.layers.1.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_image_too_small_for_the_network(schema: DataSchema) -> None:
    model = {"_target_": "stagewise.models.cnn.CNN", "padding": 0, "channels": [2, 2, 2]}
    with pytest.raises(ConfigError, match=r"(?s)image inputs of 1x4x4.*too small.*data\.feature"):
        build_inference(settings(model), schema)


def test_weights_come_back_in_eval_mode(schema: DataSchema, tmp_path: Path) -> None:
    inference = build_inference(settings(seed=5), schema)
    save_weights(inference.get_submodule("network").state_dict(), tmp_path / WEIGHTS)
    loaded = load_inference(settings(), schema, tmp_path)
    assert not loaded.training
    image = torch.randint(0, 256, (3, 4, 4, 1), dtype=torch.uint8)
    assert torch.equal(loaded(image)[1], inference(image)[1])


def test_missing_weights(schema: DataSchema, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no weights file"):
        load_inference(settings(), schema, tmp_path)


def test_damaged_weights(schema: DataSchema, tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"\x00" * 40)
    with pytest.raises(TrainingError, match=r"(?s)cannot be read.*not a whole \.safetensors file"):
        load_inference(settings(), schema, tmp_path)


def test_at_most_five_examples_of_what_does_not_fit(schema: DataSchema, tmp_path: Path) -> None:
    save_file({f"extra{number}": torch.zeros(1) for number in range(6)}, tmp_path / WEIGHTS)
    with pytest.raises(TrainingError) as caught:
        load_inference(settings(), schema, tmp_path)
    assert caught.value.why == "10 tensors differ in name or shape"
    assert len(caught.value.details) == 6
    assert caught.value.details[-1] == "and 5 more"


def test_equal_weights_give_equal_bytes_whatever_their_layout(tmp_path: Path) -> None:
    weight = torch.randn(4, 3, 2, 2)
    save_weights({"b": weight, "a": weight[0]}, tmp_path / "first")
    layout = weight.to(memory_format=torch.channels_last)
    save_weights({"a": layout[0].double(), "b": layout.requires_grad_()}, tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_threads() -> None:
    before = torch.get_num_threads()
    set_threads(1)
    set_threads(1)  # may be called again
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


def test_lightning_is_not_imported() -> None:
    code = "import sys, stagewise.tasks.build, stagewise.tasks.inference; print('pytorch_lightning' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
