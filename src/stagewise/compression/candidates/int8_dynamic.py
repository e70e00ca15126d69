"""Weights as int8, with the range of each activation measured while the model runs."""

from collections.abc import Sequence
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic

from stagewise.compression.quantization import CalibrationRows, check_operators, float_products, quantize


class Int8Dynamic:
    """Dynamic quantisation: needs no calibration, and suits dense layers, transformers and LSTMs.

    Args:
        op_types: ONNX operators to quantise. Not Conv: its dynamic kernel is several times slower than float.
        per_channel: one scale per output channel of a weight instead of one per weight.
        reduce_range: 7-bit weights, for CPUs whose 8-bit dot products saturate (x86 without VNNI).

    Raises:
        ConfigError: ``op_types`` is empty, or names something that is no ONNX operator.
    """

    def __init__(
        self,
        *,
        op_types: Sequence[str] = ("MatMul", "Gemm", "Gather", "LSTM"),
        per_channel: bool = True,
        reduce_range: bool = False,
    ) -> None:
        check_operators(op_types)
        self._op_types, self._per_channel, self._reduce_range = op_types, per_channel, reduce_range

    def __call__(self, source: Path, calibration: CalibrationRows, out: Path) -> None:  # noqa: ARG002
        """Write the quantised ``source`` to ``out``; the calibration rows are not looked at.

        Raises:
            CompressionError: onnxruntime cannot quantise it.
        """

        def step(prepared: Path, result: Path) -> None:
            quantize_dynamic(
                prepared,
                result,
                op_types_to_quantize=list(self._op_types),
                per_channel=self._per_channel,
                reduce_range=self._reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=float_products(prepared),
                extra_options={"MatMulConstBOnly": True},
            )

        quantize(source, out, step)
