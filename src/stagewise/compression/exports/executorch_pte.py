"""ExecuTorch: for phones, boards and microcontrollers."""

from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge
from numpy.typing import NDArray

from stagewise.compression.checks.answers import Outputs
from stagewise.compression.export import told
from stagewise.compression.exports.program import Program, Trained, full_batch, in_batches, longest_row, require, trace
from stagewise.tasks.inference import Inference

FILE = "model.pte"


class ExecuTorch:
    """Writes model.pte, what XNNPACK knows lowered to it; the rest runs on the portable kernels.

    Memory is planned when the program is made: batches hold 1 to ``max_batch`` rows, and rows whose length varies are
    padded to the longest (XNNPACK reshapes along one free axis only).

    Args:
        max_batch: at least 16; more takes more memory for activations.

    Raises:
        ConfigError: ExecuTorch is not installed.
    """

    def __init__(self, *, max_batch: Annotated[int, Ge(16)] = 64) -> None:
        require("executorch", "executorch")
        self._most = max_batch

    def __call__(self, trained: Trained, folder: Path) -> Program:
        """See ``Export``; its thread pool is its own."""
        path = folder / FILE
        example, free = trained.inference.source.example()
        longest = longest_row(trained.schema, free)
        # PyTorch chooses the kernel of a convolution by whether a batch holds 16 rows, and tracing takes the side that
        # the example is on for a limit: with fewer rows no batch could hold 16, while the lower limit binds nobody.
        batch = full_batch(example, max(self._most // 2, 16), longest)
        with told("ExecuTorch"):
            path.write_bytes(self._lower(trained.inference, batch))
            run = self._runner(path)
        return Program(in_batches(run, self._most, longest), longest)

    def _lower(self, inference: Inference, batch: torch.Tensor) -> bytes:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        program = trace(inference, batch, {0: "batch"}, {"batch": self._most})
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        return bytes(lowered.to_executorch().buffer)

    @staticmethod
    def _runner(path: Path) -> Any:
        from executorch.runtime import Runtime

        method = Runtime.get().load_program(path).load_method("forward")

        def run(rows: NDArray[Any]) -> Outputs:
            # The outputs lie in the program's own memory, which the next call writes over.
            return tuple(output.numpy().copy() for output in method.execute([torch.from_numpy(rows)]))

        return run
