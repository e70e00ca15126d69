"""Reading and writing ONNX graphs: equal graphs give equal bytes, and nothing of the machine is in them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import onnx

from stagewise.errors import CompressionError

MAX_BYTES = 2**31 - 1
"""Largest graph that fits one file: the limit of protobuf."""

_NUMBERED = re.compile(r"(.+)_\d+")


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


def renumber(model: onnx.ModelProto) -> None:
    """Number, in place, what the exporter named with a number in the order of the graph.

    Its own numbers count constants that it drops again, and how many depends on what the process exported before. The
    names of inputs, outputs and of the network's weights (they have a dot) stay.
    """
    kept = {item.name for item in (*model.graph.input, *model.graph.output)}
    _rename(model.graph, _renamer(kept), _renamer(set()))


def _renamer(kept: set[str]) -> Callable[[str], str]:
    """Give ``stem_<number>`` the next number of its stem when it is first seen; other names stay."""
    given: dict[str, str] = {}
    next_number: Counter[str] = Counter()

    def rename(name: str) -> str:
        numbered = _NUMBERED.fullmatch(name)
        if numbered is None or name in kept or "." in name:
            return name
        while name not in given:
            candidate = f"{numbered[1]}_{next_number[numbered[1]]}"
            next_number[numbered[1]] += 1
            if candidate not in kept:
                given[name] = candidate
        return given[name]

    return rename


def _rename(graph: onnx.GraphProto, value: Callable[[str], str], step: Callable[[str], str]) -> None:
    for node in graph.node:
        node.name = step(node.name)
        node.input[:] = [value(name) for name in node.input]
        node.output[:] = [value(name) for name in node.output]
        for attribute in node.attribute:
            for child in [attribute.g, *attribute.graphs]:
                _rename(child, value, step)
    for item in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        item.name = value(item.name)


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
