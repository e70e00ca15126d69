"""How much the rounding of each layer alone disturbs the answers of a graph: measured, layer by layer."""

import math
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from stagewise.compression.quantization import CalibrationRows

SAMPLES = 128
"""Calibration rows, at most, whose answers are compared."""
LIMIT_DB = 200.0
"""What stands for a signal without any noise and, negated, for noise without any signal."""
_WITH_WEIGHTS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "LSTM", "GRU")
_ERRORS_ONLY = 3

Outputs = list[NDArray[Any]]


class Quantize(Protocol):
    """Writes a graph with some of its nodes quantised."""

    def __call__(self, path: Path, /, *, nodes_to_quantize: list[str]) -> None:
        """Write it to ``path``."""


def layer_ratios(
    source: Path, layers: Sequence[str], calibration: CalibrationRows, quantize: Quantize
) -> dict[str, float]:
    """Signal-to-noise ratio of the answers, in dB, when one layer is rounded and all others are float.

    Of several outputs the worst counts; labels do not. Rounding is computed in float, as the graph says it, so that
    the ratios do not depend on the integer kernels of a CPU.

    Args:
        source: the float graph.
        layers: names of nodes.
        calibration: the rows, of which ``SAMPLES`` are run.
        quantize: writes the graph with only the nodes of these names quantised.
    """
    rows = calibration.sample(SAMPLES)
    expected = _answers(source, rows)
    ratios = {}
    with tempfile.TemporaryDirectory() as folder:
        rounded = Path(folder, "rounded.onnx")
        for layer in layers:
            quantize(rounded, nodes_to_quantize=[layer])
            pairs = zip(expected, _answers(rounded, rows), strict=True)
            ratios[layer] = min((signal_to_noise(a, b) for a, b in pairs if a.dtype.kind == "f"), default=LIMIT_DB)
    return ratios


def signal_to_noise(signal: NDArray[Any], noisy: NDArray[Any]) -> float:
    """Power of the signal over that of what was added to it, in dB, within ``LIMIT_DB``."""
    wanted, got = signal.astype(np.float64), noisy.astype(np.float64)
    differs = (wanted != got) & ~(np.isnan(wanted) & np.isnan(got))
    noise = float(np.square(got[differs] - wanted[differs]).sum())
    power = float(np.square(wanted[np.isfinite(wanted)]).sum())
    if noise == 0:
        return LIMIT_DB
    if power == 0 or not math.isfinite(noise):
        return -LIMIT_DB
    return min(LIMIT_DB, max(-LIMIT_DB, 10 * math.log10(power / noise)))


class Layers:
    """The nodes of a graph that would be quantised.

    Args:
        path: the graph; its nodes have names.
        op_types: operators that are quantised.
        excluded: names of nodes that are not, whatever they are.
    """

    def __init__(self, path: Path, op_types: Collection[str], excluded: Collection[str]) -> None:
        graph = onnx.load(path).graph
        matrices = {
            weight.name
            for weight in graph.initializer
            if len(weight.dims) > 1 and weight.data_type == onnx.TensorProto.FLOAT
        }
        self._nodes = list(graph.node)
        self._weighted = {
            node.name for node in graph.node if node.op_type in _WITH_WEIGHTS and not matrices.isdisjoint(node.input)
        }
        self._eligible = [
            node.name for node in graph.node if node.op_type in op_types and node.name not in set(excluded)
        ]

    def weighted(self) -> list[str]:
        """Names of those that have weights, in the order of the graph."""
        return [name for name in self._eligible if name in self._weighted]

    def stranded(self, kept_float: Collection[str]) -> list[str]:
        """Names of those without weights that lie between layers of which none is quantised.

        A pooling between two float layers would only round what one hands to the other.
        """
        quantized = set(self.weighted()) - set(kept_float)
        near = self._reached(quantized, self._nodes, "input", "output")
        near |= self._reached(quantized, self._nodes[::-1], "output", "input")
        return [name for name in self._eligible if name not in self._weighted and name not in near]

    def _reached(self, layers: set[str], nodes: list[onnx.NodeProto], end: str, begin: str) -> set[str]:
        """Nodes without weights that follow ``layers`` in the order of ``nodes``, up to the next layer."""
        values: set[str] = set()
        reached: set[str] = set()
        for node in nodes:
            follows = node.name not in self._weighted and not values.isdisjoint(getattr(node, end))
            if follows or node.name in layers:
                reached.add(node.name)
                values.update(getattr(node, begin))
        return reached


def _answers(graph: Path, rows: NDArray[Any]) -> Outputs:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    outputs: Outputs = session.run(None, {session.get_inputs()[0].name: rows})
    return outputs
