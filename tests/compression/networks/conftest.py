"""A workshop in which small trained networks are changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from steps_lab import make_settings

from stagewise.compression.export import export_graph
from stagewise.compression.quantization import CalibrationRows
from stagewise.compression.steps import Workshop
from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.tasks.build import load_inference
from stagewise.tasks.inference import Inference


@pytest.fixture
def workshop(tmp_path: Path) -> Callable[..., Workshop]:
    def make(trained: Any, key: str = "key", **trainer: Any) -> Workshop:
        settings = make_settings(trained.model, **trainer)
        teacher = load_inference(settings, trained.schema, trained.weights)
        return Workshop(settings, trained.schema, trained.processed, tmp_path / "work", key, teacher)

    return make


@pytest.fixture(scope="session")
def cnn_with_norm(train: Any) -> Any:
    return train("stagewise.models.cnn.CNN", channels=[16, 32], batch_norm=True, dropout=0.2)


@pytest.fixture(scope="session")
def mlp(train: Any) -> Any:
    return train("stagewise.models.mlp.MLP", hidden=[64, 32])


@pytest.fixture(scope="session")
def resnet(train: Any) -> Any:
    return train("stagewise.models.resnet.ResNet", epochs=3, depth=8, width=16)


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """The float and the int8 graph of a network."""

    def run(inference: Inference, trained: Any) -> tuple[Path, Path]:
        graph, int8 = tmp_path / "float.onnx", tmp_path / "int8.onnx"
        export_graph(inference, trained.schema, graph, opset=20)
        step = build(Target.model_validate({"_target_": "stagewise.compression.candidates.int8_static.Int8Static"}))
        step(graph, CalibrationRows(trained.rows("train"), 256, "image"), int8)
        return graph, int8

    return run
