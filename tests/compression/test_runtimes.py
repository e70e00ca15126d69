"""Opset, file format and operators of a graph against the runtimes that a config declares."""

import importlib.util
import itertools
import json
from dataclasses import asdict

import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from stagewise.compression.checks.runtimes import ONNXRUNTIME, check_runtimes
from stagewise.config.schema.compress import CompressSection, Runtime
from stagewise.errors import CompressionError, ConfigError


def write(folder, nodes=None, opset=20, ir=8, domains=(), functions=()):
    """A graph x -> y."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    nodes = nodes or [helper.make_node("Relu", ["x"], ["y"], name="node_relu")]
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir, functions=functions)
    onnx.save(model, folder / "int8.onnx")
    return folder / "int8.onnx"


def branch(node, name):
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4])
    return helper.make_graph([node], "branch", [], [value])


GELU = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft", name="node_gelu")
CUSTOM = helper.make_node("Mine", ["x"], ["y"], domain="my.own", name="node_mine")
HIDDEN = [
    helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True])),
    helper.make_node(
        "If",
        ["yes"],
        ["y"],
        then_branch=branch(helper.make_node("Relu", ["x"], ["a"]), "a"),
        else_branch=branch(helper.make_node("Gelu", ["x"], ["b"], domain="com.microsoft", name="deep"), "b"),
    ),
]


def runtime(text):
    name, _, version = text.partition(" ")
    return Runtime(name=name, version=version or None)


@pytest.mark.parametrize(
    ("graph", "declared", "message", "detail", "fix"),
    [
        ({"opset": 21}, "onnxruntime 1.17", "onnxruntime 1.17 does not know opset 21", None, "compress.opset to 20"),
        ({"opset": 21}, "onnxruntime 1.17.3", "onnxruntime 1.17.3 does not know opset 21", None, "opset to 20"),
        ({"opset": 23}, "onnxruntime 1.22", "onnxruntime 1.22 does not know opset 23", None, "opset to 22"),
        ({"opset": 18}, "onnxruntime 1.12", "does not know opset 18", None, "declare a newer version"),
        ({"ir": 10}, "onnxruntime 1.17", "does not know version 10 of the ONNX file format", None, "newer version"),
        ({"opset": 21}, "standard 1.15", "the ONNX standard 1.15 does not know opset 21", None, "opset to 20"),
        ({"nodes": [GELU], "domains": ["com.microsoft"]}, "openvino", "openvino does not know 1 operator",
         "Gelu of com.microsoft (node node_gelu)", "leave the candidate out"),
        ({"nodes": [GELU], "domains": ["com.microsoft"]}, "standard 1.20", "the ONNX standard 1.20 does not know 1",
         "Gelu of com.microsoft (node node_gelu)", "leave the candidate out"),
        ({"nodes": HIDDEN, "domains": ["com.microsoft"]}, "standard", "the ONNX standard does not know 1 operator",
         "Gelu of com.microsoft (node deep)", "leave the candidate out"),
        ({"nodes": [CUSTOM], "domains": ["my.own"]}, "onnxruntime 1.24", "onnxruntime 1.24 does not know 1 operator",
         "Mine of my.own (node node_mine)", "the runtime out of compress.runtimes"),
        ({"nodes": [helper.make_node("Gelu", ["x"], ["y"])], "opset": 19}, "standard",
         "the ONNX standard does not know 1 operator", "Gelu, which opset 19 does not have (node y)", "leave"),
        ({"nodes": [helper.make_node("Upsample", ["x", "s"], ["y"], name="up")], "opset": 20}, "standard",
         "does not know 1 operator", "Upsample, deprecated since opset 10 (node up)", "leave"),
        ({"nodes": [helper.make_node("Concat", ["x", "x"], ["y"])]}, "onnxruntime",
         f"onnxruntime {onnxruntime.__version__} does not load the graph", None, "leave the candidate out"),
    ],
)  # fmt: skip
def test_what_a_runtime_does_not_know_is_told(tmp_path, graph, declared, message, detail, fix):
    path = write(tmp_path, **graph)
    with pytest.raises(CompressionError) as caught:
        check_runtimes(path, [runtime("onnxruntime")] * (graph.get("opset") == 21) + [runtime(declared)])
    assert message in caught.value.what
    assert caught.value.where == "compress.candidates.int8"
    assert caught.value.details == ([detail] if detail else [])
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("graph", "declared"),
    [
        ({}, "onnxruntime 1.17"),
        ({}, "standard 1.15"),
        ({}, "standard"),
        ({"opset": 19, "nodes": HIDDEN, "domains": ["com.microsoft"]}, "onnxruntime 1.16"),
        ({"opset": 18}, "onnxruntime 1.14"),
        ({"opset": 23, "ir": 11}, "onnxruntime 1.23"),
        ({"opset": 23, "ir": 11}, "onnxruntime 99"),
    ],
)
def test_what_a_runtime_knows_passes(tmp_path, graph, declared):
    (report,) = check_runtimes(write(tmp_path, **graph), [runtime(declared)], candidate="mine")
    assert f"{report.name} {report.version or ''}".strip() == declared
    assert report.opset == graph.get("opset", 20)
    assert json.loads(json.dumps(asdict(report))) == asdict(report)
    expected = ["Constant", "If", "Relu", "com.microsoft.Gelu"] if "nodes" in graph else ["Relu"]
    assert report.operators == expected


def test_functions_of_the_graph_itself_are_known_and_looked_into(tmp_path):
    inner = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("local", "Twice", ["a"], ["b"], inner, [helper.make_opsetid("", 20)])
    call = [helper.make_node("Twice", ["x"], ["y"], domain="local")]
    path = write(tmp_path, nodes=call, domains=["local"], functions=[function])
    assert check_runtimes(path, [runtime("standard")])[0].operators == ["Relu", "local.Twice"]
    function.node[0].op_type = "Nonsense"
    with pytest.raises(CompressionError, match=r"Nonsense, which opset 20 does not have"):
        check_runtimes(write(tmp_path, call, domains=["local"], functions=[function]), [runtime("standard")])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("onnxruntime new", "'new' is no version of onnxruntime"),
        ("openvino 2026.x", "'2026.x' is no version of openvino"),
        ("standard 9.9", "there is no release 9.9 of the ONNX standard"),
    ],
)
def test_a_version_that_is_none_is_told(tmp_path, declared, message):
    with pytest.raises(ConfigError, match=message) as caught:
        check_runtimes(write(tmp_path), [runtime(declared)])
    assert caught.value.where == "compress.runtimes"


def test_newer_releases_never_take_less():
    limits = [ONNXRUNTIME[release] for release in sorted(ONNXRUNTIME)]
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(limits))


def test_the_default_runtime_takes_every_opset_that_may_be_asked_for(tmp_path):
    defaults = CompressSection.model_fields["runtimes"].default
    for opset in (18, 23):
        assert len(check_runtimes(write(tmp_path, opset=opset), defaults)) == len(defaults)


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_openvino_loads_it(tmp_path):
    assert check_runtimes(write(tmp_path), [runtime("openvino")])[0].operators == ["Relu"]
    bad = write(tmp_path, nodes=[helper.make_node("Concat", ["x", "x"], ["y"])])
    with pytest.raises(CompressionError, match=r"openvino 20.* does not load the graph"):
        check_runtimes(bad, [runtime("openvino")])
