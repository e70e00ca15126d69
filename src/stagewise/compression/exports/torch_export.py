"""torch.export: a program that any PyTorch from this version on runs, without this project's code."""

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch._dynamo.exc import UserError

from stagewise.compression.checks.answers import Outputs
from stagewise.compression.export import told
from stagewise.compression.exports.program import (
    Program,
    Trained,
    full_batch,
    in_batches,
    longest_row,
    save_program,
    trace,
)

FILE = "model.pt2"
_MOST = 1024
"""Rows at a time, where they are padded."""


class TorchExport:
    """Writes model.pt2, for ``torch.export.load(path).module()`` and for AOTInductor; batch and length are free.

    PyTorch is all it needs. As large as fp32, and as slow as PyTorch until it is compiled. Where
    torch.export cannot leave the length free (recurrent networks, bigrams), rows are padded to the longest.
    """

    def __call__(self, trained: Trained, folder: Path) -> Program:
        """See ``Export``; it runs with the threads of this process."""
        path = folder / FILE
        example, free = trained.inference.source.example()
        longest = None
        with told("torch.export"):
            try:
                program = trace(trained.inference, example, free)
            except UserError:  # a free axis is none
                longest = longest_row(trained.schema, free)
                if longest is None:
                    raise
                program = trace(trained.inference, full_batch(example, len(example), longest), {0: free[0]})
            save_program(program, path)
            module = torch.export.load(path).module()

        def run(rows: NDArray[Any]) -> Outputs:
            with torch.inference_mode():
                return tuple(output.numpy() for output in module(torch.from_numpy(rows)))

        return Program(in_batches(run, _MOST, longest) if longest else run, longest)
