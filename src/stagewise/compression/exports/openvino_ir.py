"""OpenVINO IR: for Intel's CPUs, GPUs and NPUs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.compression.checks.answers import Outputs
from stagewise.compression.exports.program import Program, Trained, require
from stagewise.errors import CompressionError

FILE = "model.xml"
"""The operations; the weights lie beside it, in model.bin."""


class OpenVINO:
    """Writes model.xml and model.bin in float32, converted from the ONNX graph; batch and length are free.

    Raises:
        ConfigError: OpenVINO is not installed.
    """

    def __init__(self) -> None:
        require("openvino", "openvino")

    def __call__(self, trained: Trained, folder: Path) -> Program:
        """See ``Export``."""
        import openvino

        path = folder / FILE
        try:
            openvino.save_model(openvino.convert_model(trained.graph), path, compress_to_fp16=False)
            # On CPUs that can, it would compute in bfloat16.
            hints = {"INFERENCE_NUM_THREADS": trained.threads, "INFERENCE_PRECISION_HINT": "f32"}
            model = openvino.Core().compile_model(path, "CPU", hints)
        except Exception as error:  # it has no public base class of its errors
            raise CompressionError(
                "the graph cannot be converted to OpenVINO IR",
                where="compress.exports",
                why=str(error),
                fix="take the export out of compress.exports, or set compress.opset lower",
            ) from error

        def run(rows: NDArray[Any]) -> Outputs:
            found = model(rows)
            return tuple(np.array(found[place]) for place in range(len(model.outputs)))

        return Program(run)
