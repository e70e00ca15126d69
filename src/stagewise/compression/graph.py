"""Reading and writing ONNX graphs: equal graphs give equal bytes, and nothing of the machine is in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx

from stagewise.errors import CompressionError

MAX_BYTES = 2**31 - 1
"""Largest graph that fits one file: the limit of protobuf."""


def save_graph(model: onnx.ModelProto, path: Path) -> None:
    """Check a graph and write its canonical form.

    Raises:
        CompressionError: the graph is invalid, or larger than ``MAX_BYTES``.
    """
    canonicalize(model)
    if model.ByteSize() > MAX_BYTES:
        raise CompressionError("the graph is larger than 2 GiB, which one ONNX file cannot hold", where=path.name)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise CompressionError("the graph is not valid ONNX", where=path.name, why=str(error)) from error
    path.write_bytes(model.SerializeToString(deterministic=True))


def canonicalize(model: onnx.ModelProto) -> None:
    """Remove, in place, what does not take part in the computation.

    The exporter records source lines and absolute paths, tools their versions, and quantisation
    the intermediate shapes: none of it may enter the bytes.
    """
    model.producer_name = ""
    model.producer_version = ""
    model.domain = ""
    del model.graph.value_info[:]
    _strip(model)
    _drop_unused_domains(model)


def _strip(message: Any) -> None:
    """Clear ``metadata_props`` and ``doc_string`` of a protobuf message and of all within it."""
    for name in ("metadata_props", "doc_string"):
        if name in message.DESCRIPTOR.fields_by_name:
            message.ClearField(name)
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in [value] if hasattr(value, "ListFields") else value:
                _strip(child)


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    used = {""} | set(_domains(model.graph)) | {function.domain for function in model.functions}
    for function in model.functions:
        used |= {node.domain for node in function.node}
    kept = sorted((item.domain, item.version) for item in model.opset_import if item.domain in used)
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in kept)


def _domains(graph: onnx.GraphProto) -> Iterable[str]:
    for node in graph.node:
        yield node.domain
        for attribute in node.attribute:
            for child in [attribute.g, *attribute.graphs]:
                yield from _domains(child)
