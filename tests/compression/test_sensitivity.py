import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from stagewise.compression.candidates.int8_static import Int8Static
from stagewise.compression.export import export_graph
from stagewise.compression.graph import save_graph
from stagewise.compression.quantization import CONVOLUTIONAL, CalibrationRows
from stagewise.compression.sensitivity import LIMIT_DB, Layers, signal_to_noise
from stagewise.compression.session import GraphSession
from stagewise.tasks.build import load_inference


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    def export(trained):
        path = tmp_path_factory.mktemp("exported") / "model.onnx"
        inference = load_inference(trained.settings(), trained.schema, trained.weights)
        export_graph(inference, trained.schema, path, opset=20)
        return path

    return export


@pytest.fixture(scope="module")
def plain(cnn, exported):
    return exported(cnn)


@pytest.fixture(scope="module")
def mlp(train):
    return train("stagewise.models.mlp.MLP", epochs=4, rate=3e-3)


@pytest.fixture(scope="module")
def lopsided(mlp, exported):
    """A network with one huge weight, on a pixel that is black in every image: float answers are those of before."""
    path = exported(mlp)
    model = onnx.load(path)
    first = next(node for node in model.graph.node if node.op_type == "Gemm")
    tensors = {weight.name: weight for weight in model.graph.initializer}
    weight, bias = (numpy_helper.to_array(tensors[name]).copy() for name in first.input[1:])
    black = -mlp.schema.feature.mean[0] / mlp.schema.feature.std[0]
    weight[7, 0] += 100
    bias[7] -= 100 * black
    tensors[first.input[1]].CopyFrom(numpy_helper.from_array(weight, first.input[1]))
    tensors[first.input[2]].CopyFrom(numpy_helper.from_array(bias, first.input[2]))
    save_graph(model, path)
    return path, first.name


def accuracy(trained, graph):
    rows = trained.rows("validation")
    labels = GraphSession(graph, 1)(rows.take(np.arange(300)))[0]
    return (labels == rows.take_targets(np.arange(300))).mean()


def make(trained, source, out, count=256, **options):
    return Int8Static(**options)(source, CalibrationRows(trained.rows("train"), count, "image"), out)


def quantized(path):
    """Names of the matrices that are int8."""
    tensors = onnx.load(path).graph.initializer
    return {weight.name for weight in tensors if weight.data_type == onnx.TensorProto.INT8 and len(weight.dims) > 1}


def test_exactly_the_sensitive_layer_stays_float_and_the_score_is_saved(mlp, lopsided, tmp_path):
    source, sensitive = lopsided
    every, some = tmp_path / "every.onnx", tmp_path / "some.onnx"
    assert make(mlp, source, every, per_channel=False) is None
    notes = make(mlp, source, some, per_channel=False, min_sqnr=25)
    assert notes["kept_float"] == [sensitive]
    assert list(notes) == ["kept_float", "sqnr_db"]
    others = [ratio for name, ratio in notes["sqnr_db"].items() if name != sensitive]
    assert len(others) == 2
    assert notes["sqnr_db"][sensitive] < 25 <= min(others)
    assert all(ratio == round(ratio, 2) for ratio in others)
    whole = accuracy(mlp, source)
    assert accuracy(mlp, every) < whole - 0.1
    assert accuracy(mlp, some) >= whole - 0.01
    assert len(quantized(every)) == 3
    assert len(quantized(some)) == 2


def test_without_sensitive_layers_the_graph_is_that_of_before(cnn, plain, tmp_path):
    for number, calibration in enumerate(("minmax", "entropy", "percentile")):
        every, some = tmp_path / f"every{number}.onnx", tmp_path / f"some{number}.onnx"
        make(cnn, plain, every, calibration=calibration)
        notes = make(cnn, plain, some, calibration=calibration, min_sqnr=-LIMIT_DB)
        assert notes["kept_float"] == []
        assert len(notes["sqnr_db"]) == 4
        assert some.read_bytes() == every.read_bytes()


def test_the_measurement_repeats(cnn, plain, tmp_path):
    first = make(cnn, plain, tmp_path / "first.onnx", min_sqnr=50)
    assert make(cnn, plain, tmp_path / "second.onnx", min_sqnr=50) == first
    assert (tmp_path / "first.onnx").read_bytes() == (tmp_path / "second.onnx").read_bytes()


def test_when_every_layer_is_sensitive_nothing_is_rounded(cnn, plain, tmp_path):
    notes = make(cnn, plain, tmp_path / "float.onnx", min_sqnr=LIMIT_DB + 1)
    assert notes["kept_float"] == list(notes["sqnr_db"])
    assert not any("Quantize" in node.op_type for node in onnx.load(tmp_path / "float.onnx").graph.node)
    rows = cnn.rows("validation").take(np.arange(20))
    for got, expected in zip(GraphSession(tmp_path / "float.onnx", 1)(rows), GraphSession(plain, 1)(rows), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kept", "stranded"),
    [
        ([], []),
        (["Conv", "Conv"], ["MaxPool", "Relu"]),  # between the two; what follows hands on to a dense layer
        (["Conv"], []),
        (["Conv", "Conv", "Gemm"], ["MaxPool", "Relu", "MaxPool", "Relu", "Reshape"]),
    ],
)
def test_what_lies_between_float_layers_stays_float(plain, kept, stranded):
    layers = Layers(plain, CONVOLUTIONAL, ["node_nothing"])
    kinds = {node.name: node.op_type for node in onnx.load(plain).graph.node}
    assert [kinds[name] for name in layers.weighted()] == ["Conv", "Conv", "Gemm", "Gemm"]
    assert [kinds[name] for name in layers.stranded(layers.weighted()[: len(kept)])] == stranded


def test_an_excluded_node_is_no_layer(plain):
    (first, *others) = Layers(plain, CONVOLUTIONAL, []).weighted()
    assert Layers(plain, CONVOLUTIONAL, [first]).weighted() == others


@pytest.mark.parametrize(
    ("signal", "noisy", "expected"),
    [
        ([3.0, 4.0], [3.0, 4.0], LIMIT_DB),
        ([3.0, 4.0], [3.0, 4.5], 20.0),
        ([3.0, 4.0], [3.0, 9.0], 0.0),
        ([3.0, np.inf], [3.0, np.inf], LIMIT_DB),
        ([3.0, np.nan], [3.0, np.nan], LIMIT_DB),
        ([3.0, 4.0], [3.0, np.nan], -LIMIT_DB),
        ([3.0, 4.0], [3.0, np.inf], -LIMIT_DB),
        ([0.0, 0.0], [0.0, 1.0], -LIMIT_DB),
        ([0.0, 0.0], [0.0, 0.0], LIMIT_DB),
        ([1.0, 0.0], [1.0, 1e-30], LIMIT_DB),
    ],
)
def test_signal_to_noise(signal, noisy, expected):
    assert signal_to_noise(np.array(signal), np.array(noisy)) == pytest.approx(expected)
