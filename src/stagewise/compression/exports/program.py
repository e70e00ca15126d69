"""What the further formats share: their protocol, tracing, and running in batches."""

import importlib.util
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt
from torch import Tensor, fx
from torch.export import Dim, ExportedProgram

from stagewise.compression.checks.answers import Outputs, Runner
from stagewise.compression.quiet import quiet_export
from stagewise.data.schema import DataSchema, Feature
from stagewise.errors import ConfigError
from stagewise.tasks.inference import Inference


@dataclass(frozen=True, slots=True)
class Trained:
    """What is exported."""

    inference: Inference
    """The trained network, in eval mode."""
    schema: DataSchema
    graph: Path
    """The same as ONNX in float32."""
    threads: int
    """That a runtime may use."""


@dataclass(frozen=True, slots=True)
class Program:
    """A model in another format, as it was written, run by its own runtime."""

    run: Runner
    longest: int | None = None
    """Length of the longest row that it holds, where the format knows no free length."""


class Export(Protocol):
    """Writes the trained network in another format; from stored rows to answers, as the ONNX graph is."""

    def __call__(self, trained: Trained, folder: Path) -> Program:
        """Write the files into ``folder``, which exists and is empty; equal arguments give equal bytes.

        Raises:
            CompressionError: the format cannot hold this network.
        """


def require(module: str, extra: str) -> None:
    """Refuse an export whose library is missing.

    Raises:
        ConfigError: ``module`` is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise ConfigError(
            f"an export needs {module}, which is not installed",
            where="compress.exports",
            fix=f"pip install 'stagewise[{extra}]', or take the export out of compress.exports",
        )


def trace(
    inference: Inference, example: Tensor, free: Mapping[int, str], most: Mapping[str, int] | None = None
) -> ExportedProgram:
    """The inference module as torch.export sees it, without a trace of this machine.

    The exporter notes for every operation the source lines it came from, with their absolute paths.

    Args:
        example: a raw batch; what the program stores of it owns no more storage than it shows.
        free: names of the axes that stay free.
        most: largest size of an axis, by its name, for formats that plan their memory.
    """
    axes = {axis: Dim(name, max=most[name]) if most else Dim(name) for axis, name in free.items()}
    # Left to runtime asserts, what it cannot prove for every length would be refused for some (seen with 2 tokens).
    program = torch.export.export(inference.eval(), (example.clone(),), dynamic_shapes=(axes,))
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write a program as .pt2; equal programs give equal bytes.

    The archive would bear the name of a file that it is written to, so it is written to memory.
    """
    buffer = io.BytesIO()
    with quiet_export():
        torch.export.save(program, buffer)
    path.write_bytes(buffer.getvalue())


class VaryingLength(Feature):
    """What the entry of a feature says whose rows are of different lengths, whatever its kind."""

    max_length: PositiveInt
    """Of a row."""


def longest_row(schema: DataSchema, free: Mapping[int, str]) -> int | None:
    """Length of the longest row where length varies, else None.

    Raises:
        DataError: it varies, and the schema does not say how long a row may be.
    """
    return schema.feature.narrow(VaryingLength).max_length if set(free) - {0} else None


def full_batch(example: Tensor, rows: int, longest: int | None) -> Tensor:
    """An example of ``rows`` rows, each padded with zeros to the longest."""
    batch = example.repeat(-(-rows // len(example)), *[1] * (example.ndim - 1))[:rows]
    if longest is None:
        return batch
    padded = batch.new_zeros((rows, longest))
    width = min(batch.shape[1], longest)
    padded[:, :width] = batch[:, :width]
    return padded


def in_batches(run: Runner, most: int, longest: int | None) -> Runner:
    """``run`` for any number of rows of any length up to ``longest``: at most ``most`` at a time, padded."""

    def split(rows: NDArray[Any]) -> Outputs:
        if longest is not None:
            rows = np.pad(rows, ((0, 0), (0, longest - rows.shape[1])))
        parts = [run(np.ascontiguousarray(rows[begin : begin + most])) for begin in range(0, len(rows), most)]
        return tuple(np.concatenate(outputs) for outputs in zip(*parts, strict=True))

    return split
