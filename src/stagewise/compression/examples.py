"""A few validation rows with the answers of the chosen model: what the package tests itself with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from stagewise.compression.example_files import EXPECTED, ROWS
from stagewise.compression.quantization import strided
from stagewise.compression.session import GraphSession
from stagewise.data.rows import Rows

TOLERANCE = 0.02
"""Largest difference of a number on another CPU, whose int8 kernels may round otherwise; for numbers above 1 relative
to the number. More where the kernels differ more on this very CPU: int8 LSTMs round differently with more threads."""


def write_examples(graph: Path, rows: Rows, folder: Path, *, threads: int, count: int = 8) -> None:
    """Write ``count`` evenly strided rows, and all that the graph says of each, into a new folder."""
    session, other = GraphSession(graph, threads), GraphSession(graph, 2 if threads == 1 else 1)
    folder.mkdir()
    examples, expected, tolerance = {}, {}, TOLERANCE
    for number, index in enumerate(strided(len(rows), count)):
        row = rows.take(np.array([index]))
        numbers = _numbers(session, row)
        apart = np.abs(_numbers(other, row) - numbers) / np.maximum(1, np.abs(numbers))
        tolerance = max(tolerance, 2 * float(apart.max(initial=0.0)))
        expected[str(number)] = [round(float(value), 6) for value in numbers]
        examples[str(number)] = np.ascontiguousarray(row[0])
    save_file(examples, folder / ROWS)
    text = json.dumps({"tolerance": round(tolerance, 6), "outputs": expected}, indent=2)
    (folder / EXPECTED).write_text(text + "\n", encoding="utf-8")


def _numbers(session: GraphSession, row: NDArray[Any]) -> NDArray[np.float64]:
    """All numbers that a graph says of a row, in a line."""
    parts = [output.reshape(-1) for output in session(row) if output.dtype.kind == "f"]
    return np.concatenate(parts).astype(np.float64)
