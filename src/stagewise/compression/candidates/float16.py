"""Weights as float16: half the size, and next to nothing lost."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from stagewise.compression.graph import save_graph
from stagewise.compression.quantization import CalibrationRows, check_operators, refused
from stagewise.compression.quiet import quiet_root


class Float16:
    """Half precision, where int8 costs too much; inputs and answers keep their types.

    A CPU without arithmetic in half precision computes in float32, with casts in between: smaller, not faster.

    Args:
        keep: ONNX operators that stay in float32; None keeps what onnxruntime knows to be unsafe.

    Raises:
        ConfigError: ``keep`` is empty, or names something that is no ONNX operator.
    """

    def __init__(self, *, keep: Sequence[str] | None = None) -> None:
        check_operators(keep, "keep")
        self._keep = list(keep) if keep is not None else None

    def __call__(self, source: Path, calibration: CalibrationRows, out: Path) -> None:  # noqa: ARG002
        """Write ``source`` in half precision to ``out``; the calibration rows are not looked at.

        Raises:
            CompressionError: onnxruntime cannot convert it.
        """
        with quiet_root(), refused("converted to float16", out):
            model = convert_float_to_float16(onnx.load(source), keep_io_types=True, op_block_list=self._keep)
            # The casts around operators that stay in float32 are appended at the end.
            OnnxModel(model).topological_sort(is_deterministic=True)
        save_graph(model, out)
