"""Weights and activations as int8, with the range of each activation measured beforehand."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

from stagewise.compression.quantization import (
    CONVOLUTIONAL,
    TRANSFORMER,
    CalibrationRows,
    activate_before_pooling,
    check_operators,
    float_products,
    is_transformer,
    quantize,
)
from stagewise.compression.sensitivity import Layers, layer_ratios
from stagewise.errors import ConfigError

_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


class Int8Static:
    """Static quantisation: fastest for convolutions.

    The uint8 input, its normalisation, softmax and arg-max stay as they are.

    Args:
        op_types: ONNX operators to quantise; chosen by the kind of network when None.
        per_channel: one scale per output channel of a weight instead of one per weight.
        reduce_range: 7-bit weights, for CPUs whose 8-bit dot products saturate (x86 without VNNI).
        min_sqnr: layers whose rounding alone brings the signal-to-noise ratio of the answers on calibration rows below
            this many dB stay float (30 is a cautious value); None quantises all, and measures nothing.
        calibration: how the range of an activation follows from the rows: all of it (minmax), what loses least of its
            distribution (entropy), or all but the outermost 0.001 % (percentile). The latter two keep activations of
            all calibration rows in memory.

    Raises:
        ConfigError: ``op_types`` is empty, or names something that is no ONNX operator; ``calibration`` is unknown.
    """

    def __init__(
        self,
        *,
        op_types: Sequence[str] | None = None,
        per_channel: bool = True,
        reduce_range: bool = False,
        calibration: Literal["minmax", "entropy", "percentile"] = "minmax",
        min_sqnr: float | None = None,
    ) -> None:
        check_operators(op_types)
        if calibration not in _METHODS:
            raise ConfigError(
                f"there is no calibration {calibration!r}",
                where="compress.candidates",
                fix=f"choose one of {', '.join(_METHODS)}",
            )
        self._op_types, self._per_channel, self._reduce_range = op_types, per_channel, reduce_range
        self._method, self._min_sqnr = _METHODS[calibration], min_sqnr

    def __call__(self, source: Path, calibration: CalibrationRows, out: Path) -> dict[str, Any] | None:
        """Write the quantised ``source`` to ``out``; with ``min_sqnr``, return what was measured of its layers.

        Raises:
            CompressionError: onnxruntime cannot quantise it.
        """
        op_types = list(self._op_types or (TRANSFORMER if is_transformer(source) else CONVOLUTIONAL))
        notes: dict[str, Any] = {}

        def step(prepared: Path, result: Path) -> None:
            activate_before_pooling(prepared)
            ranges = result.with_suffix(".json")
            quantizer = partial(self._quantize, prepared, calibration, op_types, ranges)
            # Attention loses more than it gains: it has no weights to shrink.
            excluded = float_products(prepared)
            if self._min_sqnr is not None:
                layers = Layers(prepared, op_types, excluded)
                ratios = layer_ratios(prepared, layers.weighted(), calibration, quantizer)
                kept = [name for name, ratio in ratios.items() if ratio < self._min_sqnr]
                excluded += [*kept, *layers.stranded(kept)] if kept else []
                notes.update(kept_float=kept, sqnr_db={name: round(ratio, 2) for name, ratio in ratios.items()})
            quantizer(result, nodes_to_exclude=excluded)

        quantize(source, out, step)
        return notes or None

    def _quantize(
        self,
        prepared: Path,
        calibration: CalibrationRows,
        op_types: list[str],
        ranges: Path,
        result: Path,
        **nodes: list[str],
    ) -> None:
        """Quantise the graph, or some of its nodes; the ranges are measured once and kept in ``ranges``."""
        calibration.rewind()
        quantize_static(
            prepared,
            result,
            calibration,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=op_types,
            per_channel=self._per_channel,
            reduce_range=self._reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=self._method,
            calibration_cache_path=ranges,
            **nodes,
        )
