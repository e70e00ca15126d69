"""A classifier by mean brightness as ONNX nodes: a real graph, made without any training."""

from typing import Any

from onnx import TensorProto, helper


def nearest_level(name: str) -> list[Any]:
    """From the input ``name`` to ``label`` and ``probabilities``, by weights axes, column, levels and temperature."""
    return [
        helper.make_node("Cast", [name], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["kept"], keepdims=1),
        helper.make_node("Reshape", ["kept", "column"], ["mean"]),
        helper.make_node("Sub", ["mean", "levels"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("Div", ["distance", "temperature"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
