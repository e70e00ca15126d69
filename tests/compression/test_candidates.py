import logging
import shutil

import numpy as np
import onnx
import pytest

from stagewise.compression.candidates.float16 import Float16
from stagewise.compression.candidates.float32 import Float32
from stagewise.compression.candidates.int4_weights import Int4Weights
from stagewise.compression.candidates.int8_dynamic import Int8Dynamic
from stagewise.compression.candidates.int8_static import Int8Static
from stagewise.compression.export import export_graph
from stagewise.compression.quantization import CalibrationRows, activate_before_pooling, is_transformer, strided
from stagewise.compression.session import GraphSession
from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.errors import CompressionError, ConfigError
from stagewise.tasks.build import load_inference


@pytest.fixture(scope="module")
def graph(cnn, train, tmp_path_factory):
    """Exports a briefly trained network once; returns its path and its data."""
    made = {}

    def make(network: str):
        if network not in made:
            trained = cnn if network == "cnn.CNN" else train(f"stagewise.models.{network}", epochs=3, rate=3e-3)
            path = tmp_path_factory.mktemp("graph") / "model.onnx"
            export_graph(
                load_inference(trained.settings(), trained.schema, trained.weights), trained.schema, path, opset=20
            )
            made[network] = trained, path
        return made[network]

    return make


def run(candidate, trained, source, out):
    """Bytes as a share of the source, and the share of labels that stay the same."""
    candidate(source, CalibrationRows(trained.rows("train"), 128, "image"), out)
    onnx.checker.check_model(onnx.load(out), full_check=True)
    images = trained.rows("validation").take(np.arange(300))
    agreement = (GraphSession(source, 1)(images)[0] == GraphSession(out, 1)(images)[0]).mean()
    return out.stat().st_size / source.stat().st_size, agreement


@pytest.mark.parametrize(
    ("network", "candidate", "largest", "agreement"),
    [
        ("cnn.CNN", Float32(), 1.0, 1.0),
        ("cnn.CNN", Float16(), 0.55, 0.99),
        ("vit.ViT", Float16(), 0.65, 0.99),
        ("rnn.RNN", Float16(keep=["LSTM"]), 0.99, 0.99),
        ("cnn.CNN", Int8Static(), 0.35, 0.96),
        ("cnn.CNN", Int8Static(calibration="entropy"), 0.35, 0.94),
        ("cnn.CNN", Int8Static(calibration="percentile"), 0.35, 0.94),
        ("cnn.CNN", Int8Static(per_channel=False, reduce_range=True), 0.35, 0.94),
        ("cnn.CNN", Int8Dynamic(), 0.7, 0.98),
        ("vit.ViT", Int8Static(), 0.55, 0.9),
        ("vit.ViT", Int8Dynamic(), 0.5, 0.95),
        ("rnn.RNN", Int8Dynamic(), 0.35, 0.97),
        ("mlp.MLP", Int8Dynamic(), 0.35, 0.97),
        ("conformer.Conformer", Int8Static(), 0.6, 0.9),  # it multiplies by a constant stack of matrices
        ("conformer.Conformer", Int8Dynamic(), 0.6, 0.95),
        ("cnn.CNN", Int4Weights(), 0.6, 0.95),
        ("vit.ViT", Int4Weights(), 0.4, 0.95),
        ("mlp.MLP", Int4Weights(block_size=16, symmetric=True), 0.25, 0.95),
        ("conformer.Conformer", Int4Weights(block_size=64), 0.4, 0.95),
    ],
)
def test_smaller_and_of_the_same_opinion(graph, tmp_path, network, candidate, largest, agreement):
    trained, source = graph(network)
    size, same = run(candidate, trained, source, tmp_path / "candidate.onnx")
    assert size <= largest
    assert same >= agreement


def quantized(path, kinds=("QuantizeLinear", "DynamicQuantizeLinear")) -> set[str]:
    """Operators whose input is quantised, by the producer of that input."""
    nodes = onnx.load(path).graph.node
    producers = {output: node.op_type for node in nodes for output in node.output}
    return {producers.get(node.input[0], "input") for node in nodes if node.op_type in kinds}


def test_input_and_answer_stay_float(graph, tmp_path):
    trained, source = graph("cnn.CNN")
    run(Int8Static(), trained, source, tmp_path / "candidate.onnx")
    model = onnx.load(tmp_path / "candidate.onnx")
    assert model.graph.input == onnx.load(source).graph.input
    assert not quantized(tmp_path / "candidate.onnx") & {"input", "Cast", "Sub", "Softmax"}
    kinds = {node.op_type for node in model.graph.node}
    assert {"Cast", "Softmax", "ArgMax", "Conv", "Gemm"} <= kinds


def test_pooling_between_convolutions_is_int8(graph, tmp_path):
    """The network pools before it activates; in float that is less to compute, in int8 the pooling would be float."""
    cnn, exported = graph("cnn.CNN")
    swapped, out = tmp_path / "swapped.onnx", tmp_path / "int8.onnx"
    shutil.copyfile(exported, swapped)
    activate_before_pooling(swapped)
    order = [node.op_type for node in onnx.load(swapped).graph.node if node.op_type in ("Conv", "MaxPool", "Relu")]
    assert order[:3] == ["Conv", "Relu", "MaxPool"]
    rows = cnn.rows("validation").take(np.arange(300))
    for one, other in zip(GraphSession(exported, 1)(rows), GraphSession(swapped, 1)(rows), strict=True):
        np.testing.assert_array_equal(one, other)
    Int8Static()(exported, CalibrationRows(cnn.rows("train"), 100, "image"), out)
    nodes = onnx.load(out).graph.node
    made, taken = {node.output[0]: node for node in nodes}, {node.input[0]: node for node in nodes}
    pools = [node for node in nodes if node.op_type == "MaxPool"]
    assert pools
    for pool in pools:  # int8 in and out by one scale: the runtime drops both conversions
        assert made[pool.input[0]].input[1:] == taken[pool.output[0]].input[1:]


def test_attention_stays_float(graph, tmp_path):
    trained, source = graph("vit.ViT")
    assert is_transformer(source)
    assert not is_transformer(graph("cnn.CNN")[1])
    run(Int8Static(), trained, source, tmp_path / "candidate.onnx")
    kept = quantized(tmp_path / "candidate.onnx")
    assert {"LayerNormalization", "Gelu"} <= kept  # inputs of dense layers
    assert "Softmax" not in kept  # input of the product with the values


def test_named_operators_alone_are_quantised(graph, tmp_path):
    trained, source = graph("cnn.CNN")
    run(Int8Static(op_types=["Gemm"]), trained, source, tmp_path / "candidate.onnx")
    graph_ = onnx.load(tmp_path / "candidate.onnx").graph
    types = {weight.name: weight.data_type for weight in graph_.initializer}
    convolutions = [types[node.input[1]] for node in graph_.node if node.op_type == "Conv"]
    assert convolutions == [onnx.TensorProto.FLOAT] * 2
    assert onnx.TensorProto.INT8 in types.values()


def test_the_root_logger_is_left_as_it_was(graph, tmp_path, capfd):
    trained, source = graph("cnn.CNN")
    before = logging.getLogger().level, list(logging.getLogger().handlers)
    run(Int8Static(calibration="percentile"), trained, source, tmp_path / "static.onnx")
    run(Int8Dynamic(), trained, source, tmp_path / "dynamic.onnx")
    assert (logging.getLogger().level, logging.getLogger().handlers) == before
    assert capfd.readouterr() == ("", "")


def test_calibration_rows_are_spread_over_the_split(cnn):
    calibration = CalibrationRows(cnn.rows("train"), 100, "image", batch=30)
    batches = []
    while (batch := calibration.get_next()) is not None:
        batches.append(batch["image"])
    assert [len(batch) for batch in batches] == [30, 30, 30, 10]
    np.testing.assert_array_equal(np.concatenate(batches), cnn.rows("train").take(np.arange(0, 1200, 12)))


def test_calibration_rows_can_begin_again_and_be_sampled(cnn):
    calibration = CalibrationRows(cnn.rows("train"), 100, "image", batch=70)

    def sizes():
        found = []
        while (batch := calibration.get_next()) is not None:
            found.append(len(batch["image"]))
        return found

    sample = calibration.sample(25)
    assert sizes() == [70, 30]
    assert sizes() == []
    calibration.rewind()
    np.testing.assert_array_equal(calibration.sample(25), sample)
    assert sizes() == [70, 30]
    np.testing.assert_array_equal(sample, cnn.rows("train").take(np.arange(0, 1200, 48)))
    assert len(calibration.sample(1000)) == 100


@pytest.mark.parametrize(
    ("rows", "count", "expected"), [(10, 3, [0, 3, 6]), (3, 10, [0, 1, 2]), (1, 1, [0]), (0, 4, [])]
)
def test_strided(rows, count, expected):
    assert strided(rows, count).tolist() == expected


@pytest.mark.parametrize("kind", ["int8_static.Int8Static", "int8_dynamic.Int8Dynamic"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"op_types": ["Convolution"]}, "op_types names Convolution"),
        ({"op_types": []}, "op_types is empty"),
        ({"op_type": ["Conv"]}, "cannot be built"),
    ],
)
def test_mistakes_in_the_config(kind, arguments, message):
    with pytest.raises(ConfigError, match=message):
        build(Target(target=f"stagewise.compression.candidates.{kind}", **arguments))


def test_an_unknown_calibration_is_told():
    with pytest.raises(ConfigError, match=r"there is no calibration 'max'(.|\n)*minmax, entropy, percentile"):
        build(Target(target="stagewise.compression.candidates.int8_static.Int8Static", calibration="max"))


def test_half_precision_keeps_the_types_at_both_ends(graph, tmp_path):
    trained, source = graph("cnn.CNN")
    run(Float16(), trained, source, tmp_path / "half.onnx")
    half, whole = onnx.load(tmp_path / "half.onnx").graph, onnx.load(source).graph
    assert (half.input, half.output) == (whole.input, whole.output)
    assert onnx.TensorProto.FLOAT16 in {weight.data_type for weight in half.initializer}


def test_a_graph_that_cannot_be_quantised_names_the_candidate(cnn, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    rows = CalibrationRows(cnn.rows("train"), 10, "image")
    with pytest.raises(CompressionError, match=r"quantised to mine(.|\n)*compress\.candidates\.mine"):
        Int8Dynamic()(tmp_path / "broken.onnx", rows, tmp_path / "mine.onnx")
    assert not (tmp_path / "mine.onnx").exists()
