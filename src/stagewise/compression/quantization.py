"""What the int8 candidates share: calibration rows, graph preparation, errors."""

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader
from onnxruntime.quantization.shape_inference import quant_pre_process

from stagewise.compression.graph import save_graph
from stagewise.compression.quiet import quiet_root
from stagewise.data.rows import Rows
from stagewise.errors import CompressionError, ConfigError, StagewiseError

CONVOLUTIONAL = ("Conv", "Gemm", "MatMul", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Add", "Reshape")
"""Operators of convolutional and dense networks: the weights, and what lies between them, so that int8 stays int8."""

TRANSFORMER = ("Gemm", "MatMul", "Gather")
"""Operators of transformers: the rest is sensitive to int8 (attention masks, layer norms), and holds no weights."""


class CalibrationRows(CalibrationDataReader):  # type: ignore[misc]
    """Training rows, evenly strided over the split, handed to onnxruntime in small batches.

    Args:
        rows: the training split.
        count: rows taken, at most all of them.
        name: input of the graph.
    """

    def __init__(self, rows: Rows, count: int, name: str, batch: int = 64) -> None:
        self._indices = strided(len(rows), count)
        self._rows, self._name, self._batch = rows, name, batch
        self._begin = 0

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next batch by input name, or None after the last."""
        indices = self._indices[self._begin : self._begin + self._batch]
        self._begin += len(indices)
        return {self._name: self._rows.take(indices)} if len(indices) else None

    def rewind(self) -> None:
        """Begin again with the first batch."""
        self._begin = 0

    def sample(self, count: int) -> NDArray[Any]:
        """``count`` of these rows (all, if there are fewer), evenly spread over them; no batch is used up."""
        return self._rows.take(self._indices[strided(len(self._indices), count)])


def strided(rows: int, count: int) -> NDArray[np.int64]:
    """``count`` distinct indices (all, if there are fewer rows), evenly spread over ``range(rows)``."""
    count = min(rows, count)
    return np.arange(count, dtype=np.int64) * rows // max(count, 1)


def is_transformer(source: Path) -> bool:
    """Whether the graph has attention, seen by a layer norm beside a product of two activations."""
    nodes = onnx.load(source).graph.node
    return bool(float_products(source)) and any(node.op_type == "LayerNormalization" for node in nodes)


def float_products(source: Path) -> list[str]:
    """Names of the MatMul nodes that stay float, for they multiply by no matrix of weights.

    Those are products of two activations, such as attention, and products by a stack of matrices, which the kernels of
    onnxruntime cannot take with a scale per column.
    """
    graph = onnx.load(source).graph
    matrices = {weight.name for weight in graph.initializer if len(weight.dims) == 2}
    return [node.name for node in graph.node if node.op_type == "MatMul" and not matrices.intersection(node.input)]


def activate_before_pooling(path: Path) -> None:
    """Swap each max pooling and the ReLU that alone takes what it gives, in the file: equal numbers, bit for bit.

    The largest of what is cut off below 0 is the largest, cut off below 0. Pooling first is less to compute in float;
    in int8 the ReLU costs nothing right behind a convolution, whose range is then half as wide, and the pooling, whose
    range no longer changes, is int8 too.
    """
    model = onnx.load(path)
    nodes, kept = model.graph.node, {output.name for output in model.graph.output}
    moved: set[str] = set()
    for pool in nodes:
        users = [other for other, node in enumerate(nodes) if pool.output[0] in node.input]
        if pool.op_type != "MaxPool" or len(pool.output) > 1 or pool.output[0] in kept or len(users) != 1:
            continue
        relu = nodes[users[0]]
        if relu.op_type == "Relu":
            first, last = onnx.NodeProto(), onnx.NodeProto()
            first.CopyFrom(relu)
            last.CopyFrom(pool)
            first.input[:], first.output[:] = pool.input, pool.output
            last.input[:], last.output[:] = pool.output, relu.output
            relu.CopyFrom(last)
            pool.CopyFrom(first)
            moved.add(first.output[0])
    shapes = [info for info in model.graph.value_info if info.name not in moved]
    del model.graph.value_info[:]
    model.graph.value_info.extend(shapes)
    onnx.save(model, path)


def quantize(source: Path, out: Path, step: Callable[[Path, Path], Any]) -> None:
    """Fold constants and infer shapes of ``source``, run ``step(prepared, result)``, write the canonical result.

    Raises:
        CompressionError: onnxruntime cannot quantise the graph.
    """
    with tempfile.TemporaryDirectory() as folder, quiet_root():
        prepared, result = Path(folder, "prepared.onnx"), Path(folder, "result.onnx")
        with refused(f"quantised to {out.stem}", out):
            # Symbolic shapes only matter to operators that stay float here.
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            step(prepared, result)
        save_graph(onnx.load(result), out)


@contextmanager
def refused(what: str, out: Path) -> Iterator[None]:
    """Tell whatever a library raises within as one error that names the candidate.

    Args:
        what: cannot be done with the graph: "quantised to int8".
        out: the candidate's file, called as the candidate is.

    Raises:
        CompressionError: the block raised, and not one of our own errors.
    """
    try:
        yield
    except StagewiseError:
        raise
    except Exception as error:
        raise CompressionError(
            f"the graph cannot be {what}",
            where=f"compress.candidates.{out.stem}",
            why=f"{type(error).__name__}: {error}",
            fix="choose compress=fp32, or name other operators in the candidate's arguments",
        ) from error


def check_operators(names: Collection[str] | None, argument: str = "op_types") -> None:
    """Refuse an empty list and names that are not ONNX operators.

    Args:
        names: the value of the candidate's ``argument``; None leaves the choice to the candidate.

    Raises:
        ConfigError: the list is empty, or names something else.
    """
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    unknown = sorted(set(names or ()) - known)
    if unknown or (names is not None and not names):
        raise ConfigError(
            f"{argument} names {', '.join(unknown)}" if unknown else f"{argument} is empty",
            where="compress.candidates",
            why="these are no ONNX operators" if unknown else "a candidate must quantise something",
            fix=f"use names such as {', '.join(CONVOLUTIONAL)}, or leave {argument} out",
        )
