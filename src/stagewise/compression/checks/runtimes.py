"""Whether a graph uses only what the runtimes that the config declares can run."""

import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import onnx
from onnx import defs

from stagewise.compression.session import GraphSession
from stagewise.config.schema.compress import Runtime
from stagewise.errors import CompressionError, ConfigError

DOMAINS = {"onnxruntime": {"", "com.microsoft"}, "openvino": {""}, "standard": {""}}
"""Operator domains that each runtime knows; "" is the ONNX standard."""

_Limits = tuple[int, int]
"""Highest opset of the ONNX standard, and highest version of the file format (IR)."""

ONNXRUNTIME: dict[tuple[int, int], _Limits] = {
    (0, 0): (17, 8),
    (1, 14): (18, 8),
    (1, 15): (19, 8),
    (1, 16): (19, 9),
    (1, 17): (20, 9),
    (1, 18): (21, 10),
    (1, 21): (22, 10),
    (1, 23): (23, 11),
    (1, 24): (25, 13),
}
"""From which release of onnxruntime on which limits hold.

Up to 1.20: the table "ONNX opset support" of onnxruntime.ai/docs/reference/compatibility.html, which ends there.
Later ones were tried: 1.20.1, 1.21.0, 1.22.0, 1.23.0 and 1.24.1 refuse a graph of the next higher opset or IR. What is
newer than 1.24 takes all that 1.24 takes.
"""


@dataclass(frozen=True, slots=True)
class RuntimeReport:
    """What was found for one declared runtime; written to candidates.json.

    Whether it was loaded too is not in it: that depends on what is installed, which is not in the stage's key.
    """

    name: str
    version: str | None
    """The oldest that counts, as declared."""
    opset: int
    """Of the graph."""
    operators: list[str]
    """That the graph uses, those outside the ONNX standard with their domain."""


def check_runtimes(graph: Path, runtimes: Sequence[Runtime], *, candidate: str | None = None) -> list[RuntimeReport]:
    """Check a graph's opset and every operator against each declared runtime, and load it with those installed.

    Args:
        candidate: name to call the graph by in errors.

    Raises:
        CompressionError: a runtime does not know the opset, the file format or an operator, or does not load the graph.
        ConfigError: a declared version is none.
    """
    model = onnx.load(graph, load_external_data=False)
    where = f"compress.candidates.{candidate or graph.stem}"
    reports = []
    for runtime in runtimes:
        _check_versions(model, runtime, where)
        _check_operators(model, runtime, where)
        _load(graph, runtime, where)
        reports.append(RuntimeReport(runtime.name, runtime.version, _opset(model), _names(model)))
    return reports


def _check_versions(model: onnx.ModelProto, runtime: Runtime, where: str) -> None:
    limits = _limits(runtime)
    if limits is None:
        return
    opset, form = limits
    if _opset(model) > opset:
        raise CompressionError(
            f"{_called(runtime)} does not know opset {_opset(model)}",
            where=where,
            why=f"its highest is {opset}",
            fix=f"set compress.opset to {opset}" if opset >= 18 else "declare a newer version in compress.runtimes",
        )
    if model.ir_version > form:
        raise CompressionError(
            f"{_called(runtime)} does not know version {model.ir_version} of the ONNX file format",
            where=where,
            why=f"its highest is {form}",
            fix="declare a newer version in compress.runtimes, or leave the candidate out of compress.candidates",
        )


def _check_operators(model: onnx.ModelProto, runtime: Runtime, where: str) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    foreign, unknown = [], []
    for node in _nodes(model):
        domain = "" if node.domain == "ai.onnx" else node.domain
        if (node.domain, node.op_type) in own:
            continue
        if domain not in DOMAINS[runtime.name]:
            foreign.append(f"{node.op_type} of {domain} (node {node.name or node.output[0]})")
        elif not domain and (reason := _why_unknown(node.op_type, _opset(model))):
            unknown.append(f"{node.op_type}, {reason} (node {node.name or node.output[0]})")
    if foreign or unknown:
        count = len(foreign) + len(unknown)
        raise CompressionError(
            f"{_called(runtime)} does not know {count} {'operator' if count == 1 else 'operators'} of the graph",
            where=where,
            why="they are not of the ONNX standard" if foreign else f"opset {_opset(model)} does not have them",
            fix="leave the candidate out of compress.candidates, or the runtime out of compress.runtimes",
            details=[*foreign, *unknown][:5],
        )


def _why_unknown(operator: str, opset: int) -> str | None:
    try:
        schema = defs.get_schema(operator, opset, "")
    except defs.SchemaError:
        return f"which opset {opset} does not have"
    return f"deprecated since opset {schema.since_version}" if schema.deprecated else None


def _load(graph: Path, runtime: Runtime, where: str) -> None:
    """Load the graph with the runtime, where it is installed."""
    if runtime.name == "standard" or importlib.util.find_spec(runtime.name) is None:
        return
    try:
        if runtime.name == "onnxruntime":
            GraphSession(graph, 1)
        else:
            # By name: an import would put its version into the key of every compress stage.
            core = importlib.import_module("openvino").Core()
            core.compile_model(core.read_model(graph), "CPU")
    except Exception as error:  # neither has a public base class of its errors
        why = error.why if isinstance(error, CompressionError) else str(error)
        raise CompressionError(
            f"{runtime.name} {installed_version(runtime.name)} does not load the graph",
            where=where,
            why=why,
            fix="leave the candidate out of compress.candidates, or the runtime out of compress.runtimes",
        ) from error


def _limits(runtime: Runtime) -> _Limits | None:
    """What the declared version can take; None where nothing says so."""
    if runtime.version is None:
        return None
    if not re.fullmatch(r"\d+(\.\d+)*", runtime.version):
        raise ConfigError(
            f"{runtime.version!r} is no version of {runtime.name}",
            where="compress.runtimes",
            fix='write the oldest release that counts, such as "1.24"',
        )
    numbers = [*map(int, runtime.version.split(".")), 0][:2]
    release = numbers[0], numbers[1]
    if runtime.name == "onnxruntime":
        return ONNXRUNTIME[max(begin for begin in ONNXRUNTIME if begin <= release)]
    if runtime.name == "standard":
        return _standard(release, runtime.version)
    return None  # OpenVINO publishes no such table: what it loads, it takes


def _standard(release: tuple[int, int], version: str) -> _Limits:
    """The limits of a release of the ONNX standard, of which the onnx library knows all up to its own."""
    releases = {tuple(map(int, row[0].split(".")[:2])): (int(row[2]), int(row[1])) for row in onnx.helper.VERSION_TABLE}
    if release not in releases:
        newest = ".".join(map(str, max(releases)))
        raise ConfigError(
            f"there is no release {version} of the ONNX standard",
            where="compress.runtimes",
            fix=f'write one up to "{newest}"',
        )
    return releases[release]


def _opset(model: onnx.ModelProto) -> int:
    return next((int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx")), 1)


def _names(model: onnx.ModelProto) -> list[str]:
    return sorted({f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in _nodes(model)})


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for part in (model.graph, *model.functions):
        yield from _nodes_within(part.node)


def _nodes_within(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for child in [attribute.g, *attribute.graphs]:
                yield from _nodes_within(child.node)


def _called(runtime: Runtime) -> str:
    name = "the ONNX standard" if runtime.name == "standard" else runtime.name
    return f"{name} {runtime.version}" if runtime.version else name
