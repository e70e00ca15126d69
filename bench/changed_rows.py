"""Rows changed in known ways, for bench/drift.py: pictures, texts, and a table of people."""

import gzip
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from workspace import SHARED

from stagewise.packaging.predictor import Predictor

MIRROR = Path(os.environ.get("STAGEWISE_MIRROR", SHARED / "data"))
Rows = Sequence[NDArray[Any]]
Change = Callable[[Rows, NDArray[Any]], tuple[Rows, NDArray[Any] | None]]


def changes(kind: str, package: Path, schema: Any, same: bool) -> dict[str, Change]:
    """Changes of rows of this kind, by their names.

    Args:
        kind: of the inputs.
        package: that reads texts.
        schema: its schema.json.
        same: whether the classes are those of MNIST.
    """
    return {"image": images, "text": texts, "table": tables}[kind](package, schema, same)


def images(package: Path, schema: Any, same: bool) -> dict[str, Change]:  # noqa: ARG001
    """Changes of pictures, by their names."""
    side = schema["inputs"][0]["shape"][0]
    pixels: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "blurred": lambda x: ndimage.gaussian_filter(x.astype(float), (0, side / 25 + 0.4, side / 25 + 0.4, 0)),
        "inverted": lambda x: 255 - x,
        **{f"rotated by {angle} degrees": rotated(angle) for angle in (5, 10, 15, 30, 90)},
        "noise, a tenth of the range": lambda x: x + np.random.default_rng(3).normal(0, 25.5, x.shape),
        "darker by a third": lambda x: x * (2 / 3),
        "moved by a pixel": lambda x: np.roll(x, 1, axis=2),
        "mirrored": lambda x: x[:, :, ::-1],
    }
    found = {what: on_pixels(change) for what, change in pixels.items()}
    found["one in fifty inverted"] = lambda rows, y: (_one_in(50, rows, lambda row: 255 - row), y)
    found["half of the classes rarer by two thirds"] = _only(lambda y: (y < 5) | (np.arange(len(y)) % 3 == 0))
    found["only three of the classes"] = _only(lambda y: y < 3)
    found["two classes change their names"] = lambda rows, y: (rows, np.where(y == 3, 8, np.where(y == 8, 3, y)))
    found["MNIST"] = lambda *_: _mnist(side, same=same)
    return found


def rotated(angle: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda x: ndimage.rotate(x.astype(float), angle, (1, 2), reshape=False, order=1)


def on_pixels(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Change:
    return lambda rows, y: (list(np.clip(np.round(change(np.stack(rows))), 0, 255).astype(np.uint8)), y)


def _only(which: Callable[[NDArray[Any]], NDArray[Any]]) -> Change:
    """Rows by their targets."""
    return lambda rows, y: ([rows[k] for k in np.flatnonzero(which(y))], y[which(y)])


def _one_in(number: int, rows: Rows, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Rows:
    return [row if place % number else change(row) for place, row in enumerate(rows)]


def _mnist(side: int, *, same: bool) -> tuple[Rows, NDArray[Any] | None]:
    """Test rows of MNIST; for digits of eight by eight their middle, averaged and as bright at most."""
    folder = MIRROR / "mnist"
    raw = [gzip.decompress((folder / f"t10k-{part}-ubyte.gz").read_bytes()) for part in ("images-idx3", "labels-idx1")]
    pictures = np.frombuffer(raw[0], np.uint8, offset=16).reshape(-1, 28, 28, 1)[:2000]
    if side == 8:
        means = pictures[:, 2:26, 2:26].reshape(-1, 8, 3, 8, 3).mean((2, 4))
        pictures = np.round(means * (255 / means.max((1, 2), keepdims=True))).astype(np.uint8)[..., None]
    return list(pictures), np.frombuffer(raw[1], np.uint8, offset=8)[:2000].astype(np.int64) if same else None


def texts(package: Path, schema: Any, same: bool) -> dict[str, Change]:  # noqa: ARG001
    """Changes of texts; the rows are numbers of words."""
    generator = np.random.default_rng(4)
    with zipfile.ZipFile(MIRROR / "sentence_polarity/sentence_polarity.zip") as file:
        lines = file.read("sentence_polarity/rt-polarity.pos").decode("latin-1").splitlines()[:2000]
    reader = Predictor.load(package)
    films = [reader.encode(line) for line in lines if line.strip()]
    each = {
        "words in any order": generator.permutation,
        "every other word left out": lambda row: row[::2],
        "the first five words": lambda row: row[:5],
        "one word in ten unknown": lambda row: np.where(generator.random(len(row)) < 0.1, 1, row).astype(row.dtype),
    }
    found: dict[str, Change] = {what: _on_each(change) for what, change in each.items()}
    others = iter(films)
    found["only spam"] = _only(lambda y: y == 1)
    found["one in ten a sentence about a film"] = lambda rows, _: (_one_in(10, rows, lambda _: next(others)), None)
    found["sentences about films"] = lambda *_: (films, None)
    return found


def _on_each(change: Callable[[NDArray[Any]], NDArray[Any]]) -> Change:
    return lambda rows, y: ([change(row) for row in rows], y)


def tables(package: Path, schema: Any, same: bool) -> dict[str, Change]:  # noqa: ARG001
    """Changes of the table of people."""
    columns = {column["name"]: (k, column) for k, column in enumerate(schema["inputs"][0]["columns"])}
    generator = np.random.default_rng(5)

    def on(column: str, change: Callable[[NDArray[Any]], Any]) -> Change:
        def changed(rows: Rows, y: NDArray[Any]) -> tuple[Rows, NDArray[Any]]:
            table = np.stack(rows)
            table[:, columns[column][0]] = change(table[:, columns[column][0]])
            return list(table), y

        return changed

    def women(rows: Rows, y: NDArray[Any]) -> tuple[Rows, NDArray[Any]]:
        chosen = np.flatnonzero(
            np.stack(rows)[:, columns["sex"][0]] == 1 + columns["sex"][1]["categories"].index("Female")
        )
        return [rows[k] for k in chosen], y[chosen]

    missing = columns["occupation"][1]["missing_code"]
    return {
        "five years older": on("age", lambda values: values + 5),
        "a fifth more hours": on("hours-per-week", lambda values: values * 1.2),
        "gains in thousands": on("capital-gain", lambda values: values / 1000),
        "no occupation": on("occupation", lambda values: np.full_like(values, missing)),
        "one in ten without occupation": on("occupation", lambda x: np.where(np.arange(len(x)) % 10, x, missing)),
        "education of somebody else": on("education-num", generator.permutation),
        "only women": women,
        "half of the rich are called poor": lambda rows, y: (rows, y * (np.arange(len(y)) % 2)),
    }
