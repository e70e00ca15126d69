"""A few validation rows with the answers of the chosen model: what the package tests itself with."""

import json
from pathlib import Path

import numpy as np

from stagewise.compression.example_files import EXPECTED, ROWS
from stagewise.compression.quantization import strided
from stagewise.compression.session import GraphSession
from stagewise.data.rows import Rows

TOLERANCE = 0.02
"""Largest difference of a number on another CPU, whose int8 kernels may round otherwise; for numbers above 1 relative
to the number."""


def write_examples(graph: Path, rows: Rows, folder: Path, *, threads: int, count: int = 8) -> None:
    """Write ``count`` evenly strided rows into rows.npz, and all that the graph says of them into expected.json."""
    session = GraphSession(graph, threads)
    folder.mkdir()
    examples, expected = {}, {}
    for number, index in enumerate(strided(len(rows), count)):
        row = rows.take(np.array([index]))
        floats = [output for output in session(row) if output.dtype.kind == "f"]
        expected[str(number)] = [round(float(value), 6) for output in floats for value in output.reshape(-1)]
        examples[str(number)] = row[0]
    np.savez(folder / ROWS, allow_pickle=False, **examples)
    text = json.dumps({"tolerance": TOLERANCE, "outputs": expected}, indent=2)
    (folder / EXPECTED).write_text(text + "\n", encoding="utf-8")
