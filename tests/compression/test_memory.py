import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stagewise.compression.cost import memory_probe
from stagewise.compression.cost.memory import peak_memory
from stagewise.errors import CompressionError

ROW = np.ones((1, 16), np.float32)


def graph(path, columns):
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(16, columns)).astype(np.float32), "w")
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", columns])
    made = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "product", [rows], [answer], [weights])
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_weights_are_seen(tmp_path):
    tiny, large = graph(tmp_path / "tiny.onnx", 4), graph(tmp_path / "large.onnx", 40_000_000 // 64)
    assert large.stat().st_size >= 40_000_000
    small = peak_memory(tiny, ROW, 1)
    assert 0 <= small < 40_000_000
    assert peak_memory(large, ROW, 1) >= small + 40_000_000


def test_a_larger_batch_needs_more(tmp_path):
    wide = graph(tmp_path / "wide.onnx", 1000)
    few, many = (peak_memory(wide, np.ones((rows, 16), np.float32), 1) for rows in (1, 5000))
    assert many > few + 5000 * 1000 * 4 * 0.9


def test_the_process_holds_little_else():
    """What the probe imports is what the package needs, and nothing of this project."""
    lines = Path(memory_probe.__file__).read_text().splitlines()
    names = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert names - set(sys.stdlib_module_names) == {"numpy", "onnxruntime"}


@pytest.mark.parametrize(
    ("content", "rows", "why"),
    [
        (None, ROW, "NO_?SUCH_?FILE"),
        (b"no graph", ROW, "PROTOBUF"),
        ("graph", np.ones((1, 3), np.float32), "INVALID_ARGUMENT"),
    ],
)
def test_a_graph_that_cannot_be_run_is_told(tmp_path, content, rows, why):
    path = tmp_path / "broken.onnx"
    if content == "graph":
        graph(path, 4)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(CompressionError, match=rf"memory of a graph(.|\n)*broken\.onnx(.|\n)*{why}"):
        peak_memory(path, rows, 1)
