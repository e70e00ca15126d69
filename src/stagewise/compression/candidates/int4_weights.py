"""Weights as int4, a scale to each small block of them; everything is still computed in float32."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import version_converter
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.quantization.onnx_model import ONNXModel

from stagewise.compression.quantization import CalibrationRows, check_operators, quantize
from stagewise.errors import CompressionError, ConfigError

BLOCKS = (16, 32, 64, 128, 256)
"""Sizes of a block that the kernels of onnxruntime take."""
_KINDS = ("MatMul", "Gemm", "Gather")
_WEIGHT = {"MatMul": 1, "Gather": 0}
"""Which input of an operator is the weight."""
_INT4_OPSET = 21
"""The first that knows tables of int4; packed matrices need none."""


class Int4Weights:
    """Weight-only int4 for dense layers and embeddings: smallest for large transformers, needs no calibration.

    Runs in onnxruntime only, whose operators MatMulNBits and GatherBlockQuantized it uses. Convolutions and recurrent
    layers stay as they are; so do weights that other operators use too.

    Args:
        block_size: weights that share a scale, one of 16, 32, 64, 128, 256; smaller is more accurate and larger.
        symmetric: scales without zero points; a little smaller and less accurate.
        op_types: of MatMul, Gemm and Gather, those whose weights are quantised.

    Raises:
        ConfigError: a block of this size is not known, or ``op_types`` names something else.
    """

    def __init__(
        self, *, block_size: int = 32, symmetric: bool = False, op_types: Sequence[str] = ("MatMul", "Gemm", "Gather")
    ) -> None:
        check_operators(op_types)
        unknown = sorted(set(op_types) - set(_KINDS))
        if block_size not in BLOCKS or unknown:
            raise ConfigError(
                f"int4 weights cannot be had for {', '.join(unknown)}"
                if unknown
                else f"a block of {block_size} int4 weights is not known",
                where="compress.candidates",
                fix=f"use op_types of {', '.join(_KINDS)}" if unknown else f"use one of {', '.join(map(str, BLOCKS))}",
            )
        self._block_size, self._symmetric, self._op_types = block_size, symmetric, tuple(op_types)

    def __call__(self, source: Path, calibration: CalibrationRows, out: Path) -> None:  # noqa: ARG002
        """Write ``source`` with int4 weights to ``out``; the calibration rows are not looked at.

        Raises:
            CompressionError: no weight of the graph suits, or onnxruntime cannot quantise it.
        """

        def step(prepared: Path, result: Path) -> None:
            model = onnx.load(prepared)
            if "Gemm" in self._op_types:
                ONNXModel(model).replace_gemm_with_matmul()
            chosen = _suited(model.graph, self._op_types)
            if not chosen:
                raise _nothing(out, self._op_types)
            if "Gather" in chosen.values() and _opset(model) < _INT4_OPSET:
                model = version_converter.convert_version(model, _INT4_OPSET)
            onnx.save(self._quantized(model, chosen), result)

        quantize(source, out, step)

    def _quantized(self, model: onnx.ModelProto, chosen: dict[str, str]) -> onnx.ModelProto:
        kinds = tuple(sorted(set(chosen.values())))
        quantizer = MatMulNBitsQuantizer(
            model,
            block_size=self._block_size,
            is_symmetric=self._symmetric,
            nodes_to_exclude=[node.name for node in model.graph.node if node.name not in chosen],
            op_types_to_quantize=kinds,
            # A row of a table is what one look-up reads.
            quant_axes=(("MatMul", 0), ("Gather", 1)),
        )
        with np.errstate(invalid="ignore"):  # it divides by the scale of a row of zeros, and then passes that over
            quantizer.process()
        made: onnx.ModelProto = quantizer.model.model
        _once(made.graph)
        return made


def _suited(graph: onnx.GraphProto, op_types: Sequence[str]) -> dict[str, str]:
    """Operator by name of each node whose weight is a float matrix of its own kind of node only."""
    for number, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_unnamed_{number}"
    matrices = {weight.name for weight in graph.initializer if _is_matrix(weight)}
    used = [(name, place, node) for node in graph.node for place, name in enumerate(node.input) if name in matrices]
    kinds = {"MatMul" if kind == "Gemm" else kind for kind in op_types}
    fits = {id(node): _takes(node, place) and node.op_type in kinds for _, place, node in used}
    ways: dict[str, set[str]] = {}
    for name, _, node in used:
        ways.setdefault(name, set()).add(node.op_type if fits[id(node)] else "other")
    given = {item.name for item in (*graph.output, *graph.input)}
    return {
        node.name: node.op_type
        for name, _, node in used
        if ways[name] in ({"MatMul"}, {"Gather"}) and name not in given
    }


def _is_matrix(weight: onnx.TensorProto) -> bool:
    return len(weight.dims) == 2 and weight.data_type == onnx.TensorProto.FLOAT


def _takes(node: onnx.NodeProto, place: int) -> bool:
    axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    return _WEIGHT.get(node.op_type) == place and (node.op_type != "Gather" or axes in ([], [0]))


def _once(graph: onnx.GraphProto) -> None:
    """Keep one of the equal tensors that the quantiser writes for each use of a weight."""
    kept = {weight.name: weight for weight in graph.initializer}
    del graph.initializer[:]
    graph.initializer.extend(kept.values())


def _opset(model: onnx.ModelProto) -> int:
    return next(int(item.version) for item in model.opset_import if item.domain in ("", "ai.onnx"))


def _nothing(out: Path, op_types: Sequence[str]) -> CompressionError:
    return CompressionError(
        "there is nothing that could be int4 in this network",
        where=f"compress.candidates.{out.stem}",
        why=f"no {' or '.join(op_types)} has a matrix of weights to itself, and nothing else suits",
        fix=f"take {out.stem} off compress.candidates, or use Int8Static or Int8Dynamic",
    )
