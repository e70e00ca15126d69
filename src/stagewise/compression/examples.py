"""A few validation rows with the answers of the chosen model: what the package tests itself with."""

import json
from pathlib import Path

from PIL import Image

from stagewise.compression.quantization import strided
from stagewise.compression.session import GraphSession
from stagewise.data.storage import SplitReader

FILE = "expected.json"
TOLERANCE = 0.02
"""Largest difference of a probability on another CPU, whose int8 kernels may round otherwise."""


def write_examples(graph: Path, rows: SplitReader, folder: Path, *, threads: int, count: int = 8) -> None:
    """Write ``count`` evenly strided rows as PNG files, and expected.json with their probabilities."""
    images = rows.take(strided(len(rows), count))
    _, probabilities = GraphSession(graph, threads)(images)
    folder.mkdir()
    expected = {}
    for number, (pixels, row) in enumerate(zip(images, probabilities, strict=True)):
        name = f"{number}.png"
        Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(folder / name)
        expected[name] = [round(float(value), 6) for value in row]
    text = json.dumps({"tolerance": TOLERANCE, "probabilities": expected}, indent=2)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")
