"""LiteRT (TensorFlow Lite): for Android and for boards."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stagewise.compression.checks.answers import Outputs
from stagewise.compression.export import told
from stagewise.compression.exports import litert_convert
from stagewise.compression.exports.program import (
    Program,
    Trained,
    full_batch,
    in_batches,
    longest_row,
    require,
    save_program,
    trace,
)
from stagewise.errors import CompressionError, ConfigError

FILE = "model.tflite"
PYTHON = "STAGEWISE_LITERT_PYTHON"
"""Environment variable: the Python that has litert-torch, whose libraries do not go with this project's."""


class LiteRT:
    """Writes model.tflite for one row at a time; rows whose length varies are padded to the longest.

    The converter, litert-torch, needs other versions of libraries than this project: it runs in an environment of its
    own, which ``STAGEWISE_LITERT_PYTHON`` names, on what torch.export gives here. The runtime goes with this project.
    It is the machine that says where that environment lies, so its version is not in the stage's key.

    Raises:
        ConfigError: the runtime is not installed, or the variable names no Python with litert-torch.
    """

    def __init__(self) -> None:
        require("ai_edge_litert", "litert")
        self._python = os.environ.get(PYTHON, sys.executable)
        probe = [
            self._python,
            "-I",
            "-c",
            "import importlib.util as u; raise SystemExit(not u.find_spec('litert_torch'))",
        ]
        if not Path(self._python).is_file() or subprocess.run(probe, check=False, capture_output=True).returncode:
            raise ConfigError(
                "an export needs litert-torch, which is not installed",
                where="compress.exports",
                why=f"{PYTHON} does not name a Python that has it" if PYTHON in os.environ else f"{PYTHON} is not set",
                fix="python -m venv litert && litert/bin/pip install litert-torch==0.10.0, then set "
                f"{PYTHON}=$PWD/litert/bin/python, or take the export out of compress.exports",
            )

    def __call__(self, trained: Trained, folder: Path) -> Program:
        """See ``Export``."""
        path = folder / FILE
        example, free = trained.inference.source.example()
        longest = longest_row(trained.schema, free)
        with tempfile.TemporaryDirectory() as work:
            traced = Path(work, "program.pt2")
            with told("LiteRT"):
                save_program(trace(trained.inference, full_batch(example, 1, longest), {}), traced)
            self._convert(traced, path)
        return Program(in_batches(_runner(path, trained.threads), 1, longest), longest)

    def _convert(self, traced: Path, out: Path) -> None:
        command = [self._python, "-I", litert_convert.__file__, str(traced), str(out.resolve())]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=traced.parent)
        if done.returncode or not out.is_file():
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise CompressionError(
                "the network cannot be exported to LiteRT",
                where="compress.exports",
                why=lines[-1][:500] if lines else f"the converter ended with {done.returncode}",
                fix="take the export out of compress.exports",
            )


def _runner(path: Path, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    signature = interpreter.get_signature_runner()
    (name,) = signature.get_input_details()

    def run(rows: NDArray[Any]) -> Outputs:
        found = signature(**{name: rows.astype(source["dtype"], copy=False)})
        return tuple(np.array(found[key]) for key in sorted(found))

    return run
