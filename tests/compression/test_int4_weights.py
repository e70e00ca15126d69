import hashlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stagewise.compression.candidates.int4_weights import Int4Weights
from stagewise.compression.graph import save_graph
from stagewise.compression.session import GraphSession
from stagewise.config.schema.base import Target
from stagewise.config.targets import build
from stagewise.errors import CompressionError, ConfigError

VOCABULARY, WIDTH, CLASSES = 90, 48, 5


def texts(count):
    return np.random.default_rng(count).integers(0, VOCABULARY, (count, 7))


@pytest.fixture
def graph(tmp_path):
    """Writes a graph of an embedding, a hidden layer and a head; ``more`` adds nodes that read ``mean``."""

    def write(more=(), weights=(), opset=20):
        draw = np.random.default_rng(0)
        tensors = {
            "table": draw.normal(size=(VOCABULARY, WIDTH)),
            "hidden": draw.normal(size=(WIDTH, 64)) / 7,
            "head": draw.normal(size=(CLASSES, 64)) / 8,
            "bias": draw.normal(size=CLASSES),
            **dict(weights),
        }
        tensors["table"][0] = 0  # as for padding
        nodes = [
            helper.make_node("Gather", ["table", "text"], ["rows"], "look_up"),
            helper.make_node("ReduceMean", ["rows", "axis"], ["mean"], "pool", keepdims=0),
            helper.make_node("MatMul", ["mean", "hidden"], ["sums"], "first"),
            helper.make_node("Relu", ["sums"], ["bent"], "bend"),
            helper.make_node("Gemm", ["bent", "head", "bias"], ["logits"], "last", transB=1),
            helper.make_node("ArgMax", ["logits"], ["label"], "choose", axis=1, keepdims=0),
            *more,
        ]
        initializers = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()]
        initializers.append(numpy_helper.from_array(np.array([1]), "axis"))
        rows = helper.make_tensor_value_info("text", TensorProto.INT64, ["batch", "length"])
        answers = [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES]),
        ]
        made = helper.make_graph(nodes, "texts", [rows], answers, initializers)
        path = tmp_path / "texts.onnx"
        save_graph(helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), path)
        return path

    return write


def operators(path):
    return sorted(node.op_type for node in onnx.load(path).graph.node)


def types(path):
    return {weight.name: weight.data_type for weight in onnx.load(path).graph.initializer}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("options", "largest"),
    [
        ({}, 0.32),
        ({"block_size": 16, "symmetric": True}, 0.35),
        ({"block_size": 64}, 0.34),
        ({"op_types": ["Gemm"]}, 0.95),
    ],
)
@pytest.mark.parametrize("opset", [18, 20, 21])
def test_smaller_and_of_the_same_opinion_at_every_batch_size(graph, tmp_path, options, largest, opset):
    source, out = graph(opset=opset), tmp_path / "int4.onnx"
    Int4Weights(**options)(source, None, out)
    onnx.checker.check_model(onnx.load(out), full_check=True)
    assert out.stat().st_size <= largest * source.stat().st_size
    whole, small = GraphSession(source, 1), GraphSession(out, 1)
    for count in (1, 3, 64):
        (_, expected), (label, logits) = whole(texts(count)), small(texts(count))
        assert label.shape == (count,)
        np.testing.assert_allclose(logits, expected, atol=0.25)
    assert not np.array_equal(logits, expected)


def test_tables_and_dense_layers_become_int4(graph, tmp_path):
    Int4Weights()(graph(), None, tmp_path / "int4.onnx")
    found = operators(tmp_path / "int4.onnx")
    assert found == ["Add", "ArgMax", "GatherBlockQuantized", "MatMulNBits", "MatMulNBits", "ReduceMean", "Relu"]


def test_named_operators_alone_become_int4(graph, tmp_path):
    Int4Weights(op_types=["Gather"])(graph(), None, tmp_path / "int4.onnx")
    found = operators(tmp_path / "int4.onnx")
    assert found == ["ArgMax", "GatherBlockQuantized", "Gemm", "MatMul", "ReduceMean", "Relu"]


def with_output(source, name, shape):
    model = onnx.load(source)
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    save_graph(model, source)
    return source


def test_a_weight_with_another_use_stays(graph, tmp_path):
    other = [
        helper.make_node("Transpose", ["mean"], ["turned"], "turn"),
        helper.make_node("MatMul", ["turned", "sums"], ["grid"], "multiply"),
        helper.make_node("Add", ["grid", "hidden"], ["moved"], "move"),
    ]
    source = with_output(graph(other), "moved", [WIDTH, 64])
    Int4Weights()(source, None, tmp_path / "int4.onnx")
    assert types(tmp_path / "int4.onnx")["hidden"] == TensorProto.FLOAT
    assert operators(tmp_path / "int4.onnx").count("MatMulNBits") == 1
    assert GraphSession(tmp_path / "int4.onnx", 1)(texts(3))[2].shape == (WIDTH, 64)


def test_a_table_that_is_a_dense_layer_too_stays(graph, tmp_path):
    tied = [
        helper.make_node("MatMul", ["bent", "widen"], ["wide"], "widen_first"),
        helper.make_node("MatMul", ["wide", "table"], ["again"], "tied"),
    ]
    source = with_output(graph(tied, {"widen": np.ones((64, VOCABULARY))}.items()), "again", ["batch", WIDTH])
    Int4Weights()(source, None, tmp_path / "int4.onnx")
    assert types(tmp_path / "int4.onnx")["table"] == TensorProto.FLOAT
    assert operators(tmp_path / "int4.onnx").count("MatMulNBits") == 3
    assert GraphSession(tmp_path / "int4.onnx", 1)(texts(3))[2].shape == (3, WIDTH)


def test_a_layer_that_is_used_twice_is_stored_once(graph, tmp_path):
    again = [
        helper.make_node("Abs", ["mean"], ["positive"], "fold"),
        helper.make_node("MatMul", ["positive", "hidden"], ["more"], "second"),
    ]
    source = with_output(graph(again), "more", ["batch", 64])
    Int4Weights()(source, None, tmp_path / "int4.onnx")
    names = [weight.name for weight in onnx.load(tmp_path / "int4.onnx").graph.initializer]
    assert len(names) == len(set(names))
    assert operators(tmp_path / "int4.onnx").count("MatMulNBits") == 3
    assert GraphSession(tmp_path / "int4.onnx", 1)(texts(3))[2].shape == (3, 64)


WRITE = """
import sys
from pathlib import Path
from stagewise.compression.candidates.int4_weights import Int4Weights
Int4Weights()(Path(sys.argv[1]), None, Path(sys.argv[2]))
"""


def test_equal_bytes_in_two_processes(graph, tmp_path):
    source = graph()
    digests = set()
    for seed in ("1", "2"):
        out = tmp_path / seed / "int4.onnx"
        out.parent.mkdir()
        command = [sys.executable, "-c", WRITE, str(source), str(out)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": seed}, cwd=out.parent)
        digests.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_graph_without_dense_layers_is_told_in_plain_words(tmp_path):
    kernel = numpy_helper.from_array(np.ones((2, 1, 3, 3), np.float32), "kernel")
    node = helper.make_node("Conv", ["image", "kernel"], ["answer"], "convolve")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", 2, 6, 6])
    made = helper.make_graph([node], "convolution", [image], [answer], [kernel])
    save_graph(helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "a.onnx")
    with pytest.raises(CompressionError, match="nothing that could be int4") as caught:
        Int4Weights()(tmp_path / "a.onnx", None, tmp_path / "tiny.onnx")
    told = str(caught.value)
    assert "where: compress.candidates.tiny" in told
    assert "no MatMul or Gemm or Gather has a matrix of weights" in told
    assert "next:  take tiny off compress.candidates" in told
    assert not (tmp_path / "tiny.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block_size": 48}, r"a block of 48 int4 weights(.|\n)*use one of 16, 32, 64, 128, 256"),
        ({"op_types": ["Conv"]}, r"cannot be had for Conv(.|\n)*use op_types of MatMul, Gemm, Gather"),
        ({"op_types": []}, "op_types is empty"),
        ({"bits": 4}, "cannot be built"),
    ],
)
def test_mistakes_in_the_config(arguments, message):
    with pytest.raises(ConfigError, match=message):
        build(Target(target="stagewise.compression.candidates.int4_weights.Int4Weights", **arguments))
