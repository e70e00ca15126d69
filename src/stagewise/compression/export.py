"""The inference module as one ONNX graph: stored rows to answers, nothing outside."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from stagewise.compression.graph import renumber, save_graph
from stagewise.compression.quiet import quiet_export
from stagewise.data.schema import DataSchema
from stagewise.errors import CompressionError
from stagewise.tasks.inference import Inference

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def export_graph(inference: Inference, schema: DataSchema, path: Path, *, opset: int) -> None:
    """Write the inference module as a canonical ONNX graph whose batch size (and length, if it varies) is free.

    The graph takes rows as they are stored under the feature's name, and gives what ``inference.outputs`` names;
    equal modules give equal bytes wherever they are exported.

    Raises:
        CompressionError: the network uses an operation that cannot be exported.
    """
    # A batch of one would be taken for a constant; a fresh tensor owns no more storage than it shows.
    example, free = inference.source.example()
    axes = {axis: torch.export.Dim(name) for axis, name in free.items()}
    with told("ONNX"):
        program = torch.onnx.export(
            inference.eval(),
            (example,),
            dynamo=True,
            input_names=[schema.feature.name],
            output_names=list(inference.outputs),
            dynamic_shapes=(axes,),
            opset_version=opset,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise CompressionError("the network cannot be exported to ONNX", where="model", why="no program was made")
    model = program.model_proto
    renumber(model)
    save_graph(model, path)


@contextmanager
def told(form: str) -> Iterator[None]:
    """Trace without a word and without gradients, and tell whatever is raised within as one error.

    Args:
        form: what the network cannot be exported to: "ONNX".

    Raises:
        CompressionError: the block raised.
    """
    try:
        with quiet_export(), torch.no_grad():
            yield
    except Exception as error:  # exporters raise whatever their passes, or the network, raise
        raise CompressionError(
            f"the network cannot be exported to {form}",
            where="model",
            why=_reason(error),
            fix="use operations that torch.export knows, with no Python branch on tensor values or on free axes",
        ) from error


def _reason(error: BaseException) -> str:
    """The first line of the innermost error: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = _COLOURS.sub("", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
