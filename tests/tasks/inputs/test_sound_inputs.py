"""The spectrogram inside the graph: the same numbers as in numpy, in ONNX, in any precision of the network."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from torch import nn

from stagewise.compression.quiet import quiet_export, quiet_root
from stagewise.data.features.sound import SoundFeature
from stagewise.data.features.sound_entry import SoundEntry
from stagewise.data.schema import ClassTarget, DataSchema
from stagewise.errors import DataError
from stagewise.models.cnn import CNN
from stagewise.tasks.inputs.image import ImageInputs
from stagewise.tasks.inputs.sound import SoundInputs


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def recordings(count: int = 12, length: int = 4000) -> np.ndarray:
    generator = np.random.default_rng(0)
    time = np.arange(length) / 8000
    tones = [np.sin(2 * np.pi * generator.uniform(100, 1800) * time * (1 + time)) for _ in range(count)]
    loudness = np.geomspace(20, 30000, count)[:, None]
    return np.rint(np.stack(tones) * loudness + generator.normal(size=(count, length)) * 3).astype(np.int16)


def make_schema(rate: int = 8000, seconds: float = 0.5, **arguments: Any) -> DataSchema:
    feature = SoundFeature(rate, seconds, **arguments)
    feature.fit([(recordings(length=round(rate * seconds)), np.zeros(12))])
    return DataSchema(
        name="tones", features=[feature.describe()], target=ClassTarget(classes=["a", "b", "c"], outputs=3), splits={}
    )


def hostile(inputs: SoundInputs) -> np.ndarray:
    return np.stack(list(inputs.hostile(np.random.default_rng(1)).values()))


FORMS: dict[str, dict[str, Any]] = {
    "speech": {},
    "music": {"rate": 22050, "seconds": 0.31, "mels": 64, "window_ms": 40, "hop_ms": 15, "fmin": 60, "fmax": 9000},
    "no overlap": {"window_ms": 32, "hop_ms": 32, "mels": 20, "floor_db": -120},
    "part of a hop": {"seconds": 0.4567, "hop_ms": 12.5, "floor_db": -60},
}


@pytest.mark.parametrize("name", FORMS)
def test_the_same_numbers_as_in_numpy(name: str) -> None:
    schema = make_schema(**FORMS[name])
    entry, inputs = schema.feature.narrow(SoundEntry), SoundInputs(schema)
    (length,) = entry.shape
    raw = np.concatenate([recordings(length=length), hostile(inputs)])
    mean, std = (np.array(values)[:, None] for values in (entry.mean, entry.std))
    expected = (entry.log_mel()(raw) - mean) / std
    result = inputs(inputs.decode(torch.from_numpy(raw)))
    assert result.dtype == torch.float32 and result.shape[1:] == inputs.network_shape
    np.testing.assert_allclose(result[:, 0].numpy(), expected, rtol=2e-6, atol=2e-5)


def test_the_training_rows_come_out_standardised() -> None:
    inputs = SoundInputs(make_schema())
    result = inputs(inputs.decode(torch.from_numpy(recordings())))
    assert result.mean((0, 1, 3)).abs().max() < 1e-5
    torch.testing.assert_close(result.std((0, 1, 3), correction=0), torch.ones(40), rtol=0, atol=1e-5)


def test_decoding_is_exact() -> None:
    inputs = SoundInputs(make_schema())
    raw = torch.tensor([[-32768, -1, 0, 1, 32767]], dtype=torch.int16)
    assert inputs.decode(raw).tolist() == [[-1.0, -(2**-15), 0.0, 2**-15, 1 - 2**-15]]
    assert inputs.decode(raw).dtype == torch.float32


def test_hostile_rows_are_named_int16_and_finite() -> None:
    inputs = SoundInputs(make_schema())
    rows = inputs.hostile(np.random.default_rng(0))
    assert {row.dtype.name for row in rows.values()} == {"int16"} and {row.shape for row in rows.values()} == {(4000,)}
    assert {row.min() for row in rows.values()} >= {-32768} and {row.max() for row in rows.values()} >= {32767, 0}
    assert inputs(inputs.decode(torch.from_numpy(np.stack(list(rows.values()))))).isfinite().all()
    again = inputs.hostile(np.random.default_rng(0))
    assert all(np.array_equal(rows[name], again[name]) for name in rows)


def test_half_precision_of_the_network_does_not_reach_the_spectrogram() -> None:
    schema = make_schema()
    exact, half = SoundInputs(schema), SoundInputs(schema).to(torch.bfloat16)
    sound = exact.decode(torch.from_numpy(recordings()))
    assert half(sound).dtype == torch.bfloat16
    # What is left is the rounding of the means and of the result itself, 2**-8 of their size.
    torch.testing.assert_close(half(sound).float(), exact(sound), rtol=0.02, atol=0.05)
    assert SoundInputs(schema).to(torch.float64)(sound).dtype == torch.float64


def test_batches_repeat_bit_for_bit() -> None:
    inputs = SoundInputs(make_schema())
    sound = inputs.decode(torch.from_numpy(recordings()))
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.equal(inputs(sound), inputs(sound.clone()))
    finally:
        torch.use_deterministic_algorithms(False)


def test_an_image_schema_is_refused() -> None:
    schema = make_schema()
    with pytest.raises(DataError, match="holds no ImageEntry"):
        ImageInputs(schema)
    image = schema.feature.model_copy(update={"kind": "image", "mels": None})
    with pytest.raises(DataError, match="holds no SoundEntry"):
        SoundInputs(schema.model_copy(update={"features": [image]}))


class Answer(nn.Module):
    """Inputs and a small CNN, from int16 to probabilities."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inputs = SoundInputs(make_schema())
        self.network = CNN(self.inputs.network_shape, 3, channels=[4, 8], hidden=16, batch_norm=True)

    def forward(self, raw: torch.Tensor) -> torch.Tensor:
        """Probabilities ``[N, 3]``."""
        probabilities: torch.Tensor = self.network(self.inputs(self.inputs.decode(raw))).softmax(1)
        return probabilities


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    torch.set_num_threads(1)
    answer = Answer().eval()
    example, axes = answer.inputs.example()
    dynamic = {axis: torch.export.Dim(name) for axis, name in axes.items()}
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(
            answer,
            (example,),
            dynamo=True,
            input_names=["sound"],
            dynamic_shapes=(dynamic,),
            opset_version=20,
            verbose=False,
        )
    buffer = io.BytesIO()
    program.save(buffer)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    model = onnx.load_from_string(buffer.getvalue())
    del model.graph.value_info[:]
    onnx.save(model, path)
    return answer, path


def run(path: Path, raw: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"sound": raw})
    return np.asarray(probabilities)


def test_the_exported_graph_answers_alike_at_any_batch_size(exported: tuple[Answer, Path]) -> None:
    answer, path = exported
    raw = np.concatenate([recordings(), hostile(answer.inputs)])
    expected = answer(torch.from_numpy(raw)).detach().numpy()
    np.testing.assert_allclose(run(path, raw), expected, rtol=1e-4, atol=1e-5)
    for row in range(len(raw)):
        np.testing.assert_allclose(run(path, raw[row : row + 1]), expected[row : row + 1], rtol=1e-4, atol=1e-5)


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """The recordings in one batch."""

    def __init__(self) -> None:
        self._left = [recordings()]

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The batch, then None."""
        return {"sound": self._left.pop()} if self._left else None


@pytest.mark.parametrize("way", ["static", "dynamic"])
def test_quantisation_leaves_the_spectrogram_alone(way: str, exported: tuple[Answer, Path], tmp_path: Path) -> None:
    answer, path = exported
    out = tmp_path / "int8.onnx"
    with quiet_root():
        if way == "static":
            operators = ["Conv", "Gemm", "MatMul", "Relu", "MaxPool", "Add", "Reshape"]
            quantize_static(path, out, Calibration(), op_types_to_quantize=operators, per_channel=True)
        else:
            quantize_dynamic(path, out, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8)
    graph = onnx.load(out).graph
    doubles = {weight.name for weight in graph.initializer if weight.data_type == onnx.TensorProto.DOUBLE}
    products = [node for node in graph.node if node.op_type == "MatMul" and doubles.intersection(node.input)]
    assert len(products) == 2
    assert any(weight.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8) for weight in graph.initializer)
    expected = answer(torch.from_numpy(recordings())).detach().numpy()
    np.testing.assert_allclose(run(out, recordings()), expected, atol=0.05)
