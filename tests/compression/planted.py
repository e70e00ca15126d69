"""Graphs with one fault each, planted into a true export of an image classifier with 10 classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stagewise.compression.graph import save_graph

Change = Callable[[onnx.ModelProto], None]


def plant(source: Path, out: Path, change: Change) -> Path:
    """Write ``source`` with the fault that ``change`` makes in place."""
    model = onnx.load(source)
    change(model)
    save_graph(model, out)
    return out


def wrong_normalisation(model: onnx.ModelProto) -> None:
    """Pixels are centred by another mean."""
    (mean,) = [weight for weight in model.graph.initializer if weight.name == "inputs.mean"]
    mean.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(mean) * np.float32(0.8), mean.name))


def transposed_input(model: onnx.ModelProto) -> None:
    """Rows and columns of the image are exchanged."""
    rename(model, "image", "turned", outputs=False)
    model.graph.node.insert(0, helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 2, 1, 3]))


def label_off_by_one(model: onnx.ModelProto) -> None:
    """Class 3 is called 4; the probabilities are right."""
    rename(model, "label", "true_label")
    constant(model, "one", np.array(1))
    model.graph.node.append(helper.make_node("Add", ["true_label", "one"], ["label"]))


def fails_at_three(model: onnx.ModelProto) -> None:
    """A batch of three looks up something that is not there."""
    rename(model, "probabilities", "true_probabilities")
    for name, value in {"three": [3], "far": [99], "near": [0], "nothing": np.zeros(1, np.float32)}.items():
        constant(model, name, np.array(value))
    nodes = [
        helper.make_node("Shape", ["image"], ["rows"], start=0, end=1),
        helper.make_node("Equal", ["rows", "three"], ["is_three"]),
        helper.make_node("Where", ["is_three", "far", "near"], ["place"]),
        helper.make_node("Gather", ["nothing", "place"], ["zero"]),
        helper.make_node("Add", ["true_probabilities", "zero"], ["probabilities"]),
    ]
    model.graph.node.extend(nodes)


def no_number_for_uniform(model: onnx.ModelProto) -> None:
    """An image of one grey divides zero by zero."""
    nodes = [
        *spread(model),
        helper.make_node("Sign", ["spread"], ["varies"]),
        helper.make_node("Mul", ["true_probabilities", "varies"], ["kept"]),
        helper.make_node("Div", ["kept", "varies"], ["probabilities"]),
    ]
    model.graph.node.extend(nodes)


def doubled_for_uniform(model: onnx.ModelProto) -> None:
    """An image of one grey, which no real row is, gets probabilities one too high."""
    constant(model, "one", np.float32(1))
    nodes = [
        *spread(model),
        helper.make_node("Sign", ["spread"], ["varies"]),
        helper.make_node("Sub", ["one", "varies"], ["uniform"]),
        helper.make_node("Add", ["true_probabilities", "uniform"], ["probabilities"]),
    ]
    model.graph.node.extend(nodes)


def nearest_resize(model: onnx.ModelProto) -> None:
    """Pixels are repeated where the network interpolates between them."""
    (resize,) = [node for node in model.graph.node if node.op_type == "Resize"]
    kept = [item for item in resize.attribute if item.name != "mode"]
    del resize.attribute[:]
    resize.attribute.extend([*kept, helper.make_attribute("mode", "nearest")])


def spread(model: onnx.ModelProto) -> list[Any]:
    """Nodes that give ``spread`` ``[N, 1]``, brightest minus darkest pixel; the probabilities are renamed."""
    rename(model, "probabilities", "true_probabilities")
    constant(model, "pixels", np.array([1, 2, 3]))
    constant(model, "last", np.array([1]))
    return [
        helper.make_node("Cast", ["image"], ["grey"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["grey", "pixels"], ["brightest"], keepdims=0),
        helper.make_node("ReduceMin", ["grey", "pixels"], ["darkest"], keepdims=0),
        helper.make_node("Sub", ["brightest", "darkest"], ["range"]),
        helper.make_node("Unsqueeze", ["range", "last"], ["spread"]),
    ]


def rename(model: onnx.ModelProto, name: str, new: str, *, outputs: bool = True) -> None:
    """Call a value otherwise in every node, so that others can stand in its place."""
    for node in model.graph.node:
        for names in (node.input, node.output) if outputs else (node.input,):
            names[:] = [new if other == name else other for other in names]


def constant(model: onnx.ModelProto, name: str, value: Any) -> None:
    """Add a constant."""
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
