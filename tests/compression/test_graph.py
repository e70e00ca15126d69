import onnx
import pytest
from onnx import TensorProto, helper

from stagewise.compression.graph import canonicalize, save_graph
from stagewise.errors import CompressionError


def make_model() -> onnx.ModelProto:
    """x + (x > 0 ? 1 : 2), with everything in it that a tool may leave behind."""
    branches = []
    for name, value in (("then", 1.0), ("else", 2.0)):
        tensor = helper.make_tensor(name, TensorProto.FLOAT, [], [value], raw=False)
        tensor.doc_string = "secret"
        node = helper.make_node("Constant", [], [f"{name}_out"], value=tensor, doc_string="secret")
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="secret")
        output = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, [])
        branches.append(helper.make_graph([node], name, [], [output], doc_string="secret"))
    nodes = [
        helper.make_node("Greater", ["x", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["step"], then_branch=branches[0], else_branch=branches[1]),
        helper.make_node("Add", ["x", "step"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in "xy")
    x.metadata_props.add(key="path", value="secret")
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], b"\0\0\0\0", raw=True)
    zero.metadata_props.add(key="path", value="secret")
    middle = helper.make_tensor_value_info("step", TensorProto.FLOAT, [], doc_string="secret")
    graph = helper.make_graph(nodes, "graph", [x], [y], [zero], value_info=[middle], doc_string="secret")
    opsets = [helper.make_opsetid(domain, version) for domain, version in (("com.microsoft", 1), ("", 20))]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="secret", producer_version="secret")
    model.metadata_props.add(key="onnx.infer", value="secret")
    return model


def test_canonicalize_removes_all_that_does_not_compute():
    model = make_model()
    assert model.SerializeToString().count(b"secret") == 15
    canonicalize(model)
    assert b"secret" not in model.SerializeToString()
    assert not model.graph.value_info


def test_canonicalize_drops_operator_sets_without_operators():
    model = make_model()
    canonicalize(model)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 20)]


def test_operator_sets_used_in_a_branch_stay():
    model = make_model()
    branch = model.graph.node[1].attribute[0].g
    branch.node.append(helper.make_node("Gelu", ["then_out"], ["unused"], domain="com.microsoft"))
    canonicalize(model)
    assert [item.domain for item in model.opset_import] == ["", "com.microsoft"]


def test_saving_twice_gives_equal_bytes(tmp_path):
    save_graph(make_model(), tmp_path / "first.onnx")
    save_graph(onnx.load(tmp_path / "first.onnx"), tmp_path / "second.onnx")
    assert (tmp_path / "first.onnx").read_bytes() == (tmp_path / "second.onnx").read_bytes()


def test_an_invalid_graph_is_refused(tmp_path):
    model = make_model()
    model.graph.node[2].input[1] = "nowhere"
    with pytest.raises(CompressionError, match="not valid ONNX"):
        save_graph(model, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
