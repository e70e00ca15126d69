"""Running an ONNX graph as the package will run it."""

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from stagewise.errors import CompressionError

_ERRORS_ONLY = 3


class GraphSession:
    """A graph from stored rows to answers, on the CPU with a fixed number of threads.

    Raises:
        CompressionError: onnxruntime cannot run the graph.
    """

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # Threads that spin between calls would take the core from whatever is measured next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no public base class of its errors
            raise CompressionError("onnxruntime cannot run the graph", where=path.name, why=str(error)) from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, rows: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """The graph's outputs for rows as they are stored, ``(n, ...)``."""
        return tuple(self._session.run(None, {self._input: rows}))
