"""How much memory a graph needs, measured in a process of its own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.compression.cost import memory_probe
from stagewise.errors import CompressionError


def peak_memory(graph: Path, batch: NDArray[Any], threads: int) -> int:
    """Bytes by which loading a graph and running a batch of stored rows raise the peak resident size of a process.

    Each call starts a process that has imported onnxruntime and NumPy, and holds the batch; figures of equal graphs
    differ by some pages.

    Raises:
        CompressionError: the graph cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "batch.npy")
        np.save(rows, batch, allow_pickle=False)
        command = [sys.executable, "-P", memory_probe.__file__, str(graph), str(rows), str(threads)]
        done = subprocess.run(command, env=os.environ.copy(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompressionError(
            "the memory of a graph cannot be measured",
            where=graph.name,
            why=(done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1],
        )
    return int(done.stdout)
