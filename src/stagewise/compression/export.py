"""The inference module as one ONNX graph: raw input to label and probabilities, nothing outside."""

import re
from pathlib import Path

import torch
from torch import nn

from stagewise.compression.graph import save_graph
from stagewise.compression.quiet import quiet_export
from stagewise.data.schema import DataSchema
from stagewise.errors import CompressionError

OUTPUTS = ("label", "probabilities")
"""Names of the graph's outputs: int64 [N] and float32 [N, K]."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def export_graph(inference: nn.Module, schema: DataSchema, path: Path, *, opset: int) -> None:
    """Write the inference module as a canonical ONNX graph with a free batch size.

    The graph takes uint8 ``[N, H, W, C]`` under the feature's name; equal modules give equal bytes
    wherever they are exported.

    Raises:
        CompressionError: the network uses an operation that cannot be exported.
    """
    feature = schema.features[0]
    # A batch of one would be taken for a constant; a fresh tensor owns no more storage than it shows.
    example = torch.zeros((2, *feature.shape), dtype=torch.uint8)
    try:
        with quiet_export(), torch.no_grad():
            program = torch.onnx.export(
                inference.eval(),
                (example,),
                dynamo=True,
                input_names=[feature.name],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=opset,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter raises whatever its passes, or the network, raise
        raise CompressionError(
            "the network cannot be exported to ONNX",
            where="model",
            why=_reason(error),
            fix="use operations that torch.export knows, with no Python branch on tensor values or on the batch size",
        ) from error
    if program is None:
        raise CompressionError("the network cannot be exported to ONNX", where="model", why="no program was made")
    save_graph(program.model_proto, path)


def _reason(error: BaseException) -> str:
    """The first line of the innermost error: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = _COLOURS.sub("", str(error)).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
