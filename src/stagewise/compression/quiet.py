"""Silence for libraries that talk about their own insides."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

_LOGGERS = ("torch.onnx", "torch.export", "torch.fx.experimental.symbolic_shapes", "onnxscript", "onnx_ir")


@contextmanager
def quiet_export() -> Iterator[None]:
    """Hide what torch.onnx says of itself; what goes wrong is still raised."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    # It prints the graph that it failed on.
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        # torch.export calls its own deprecated functions, and traces nn.LSTM by assigning its attributes.
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", r"The tensor attributes? .*_flat_weights", UserWarning)
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def quiet_root() -> Iterator[None]:
    """Hide what onnxruntime.quantization prints and says through the root logger, and leave that logger as it was.

    Its module-level ``logging.info`` calls would otherwise install a handler for the whole process.
    """
    root = logging.getLogger()
    level, handler = root.level, logging.NullHandler()
    root.addHandler(handler)
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):  # some calibrators print their progress
            yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
