"""A CSV file with one image per row: its label and its pixels."""

import csv
import gzip
import itertools
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Literal

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from stagewise.data.readers.files import find_one, locate
from stagewise.data.sample import Sample
from stagewise.errors import DataError

_LINES = 512  # parsed at a time


class PixelTableReader:
    """Images written out as numbers, row by row; streamed.

    Pixels become uint8 as round(value * 255 / maximum). A row with too few, too many or impossible numbers
    is a sample with an error.

    Args:
        file: the .csv or .csv.gz file below data/raw/; the only one when null.
        shape: [height, width] or [height, width, channels] of each image.
        maximum: the value of a white pixel; black is 0.
        label: which column is the label.
        header: whether the first line names the columns.
        root: data/raw/.
    """

    def __init__(
        self,
        file: str | None = None,
        shape: tuple[Annotated[int, Gt(0)], ...] = (28, 28),
        maximum: Annotated[float, Gt(0)] = 255,
        label: Literal["first", "last"] = "first",
        header: bool = False,
        *,
        root: Path,
    ) -> None:
        if len(shape) not in {2, 3} or any(size < 1 for size in shape):
            raise DataError(
                f"{list(shape)} is no [height, width] or [height, width, channels]", where="data.reader.shape"
            )
        if not maximum > 0:
            raise DataError(f"{maximum} is not above 0", where="data.reader.maximum")
        if label not in {"first", "last"}:
            raise DataError(f"{label!r} is neither first nor last", where="data.reader.label")
        self._file = file
        self._shape = tuple(shape)
        self._maximum = maximum
        self._label_first = label == "first"
        self._header = header
        self._root = Path(root)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the rows in order; blank lines are passed over.

        Raises:
            DataError: the file is missing or damaged.
        """
        path = locate(self._root, self._file) if self._file else find_one(self._root, (".csv", ".csv.gz"), "file")
        name = path.relative_to(self._root).as_posix()
        with _open(path) as file:
            lines = ((number, line.strip()) for number, line in enumerate(file, start=1))
            rows = ((number, line) for number, line in lines if line and not (self._header and number == 1))
            while chunk := list(itertools.islice(rows, _LINES)):
                for (number, _), sample in zip(chunk, self._parse([line for _, line in chunk]), strict=True):
                    value, label, error = sample
                    yield Sample(id=f"{name}#{number}", value=value, label=label, error=error)

    def _parse(self, lines: list[str]) -> Iterator[tuple[NDArray[np.uint8] | None, str | int | None, str | None]]:
        """Image, label and error of each line."""
        cut = [self._cut(line) for line in lines]
        labels = [_label(label) for label, _ in cut]
        try:
            values = self._pixels([pixels for _, pixels in cut])
        except ValueError:  # a bad row among them: find out which
            for label, (_, pixels) in zip(labels, cut, strict=True):
                try:
                    yield self._pixels([pixels])[0], label, None
                except ValueError as error:
                    yield None, label, str(error)
        else:
            for value, label in zip(values, labels, strict=True):
                yield value, label, None

    def _cut(self, line: str) -> tuple[str, str]:
        """The label and the pixels of a line."""
        if self._label_first:
            label, _, pixels = line.partition(",")
        else:
            pixels, _, label = line.rpartition(",")
        return label, pixels

    def _pixels(self, rows: list[str]) -> NDArray[np.uint8]:
        """Images (n, *shape) of n rows of numbers; ValueError with the reason."""
        expected = math.prod(self._shape)
        for row in rows:
            count = row.count(",") + 1 if row else 0
            if count != expected:
                raise ValueError(f"{count} pixels, {expected} expected for {' x '.join(map(str, self._shape))}")
        try:
            values = np.loadtxt(rows, delimiter=",", comments=None, ndmin=2)
        except ValueError as error:
            raise ValueError(f"a pixel is no number ({error})") from error
        if not np.all((values >= 0) & (values <= self._maximum)):  # NaN too
            raise ValueError(f"a pixel lies outside of 0 to {self._maximum:g}")
        return np.rint(values * (255 / self._maximum)).astype(np.uint8).reshape(len(rows), *self._shape)


def _label(text: str) -> str | int | None:
    """An integer where the text is one (``5``, ``5.0``), None where it is blank, else the text."""
    text = next(csv.reader([text]), [""])[0].strip() if text.startswith('"') else text.strip()
    try:
        number = float(text)
    except ValueError:
        return text or None
    return int(number) if number.is_integer() else text


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            yield file
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} cannot be read", where=str(path), why=str(error) or type(error).__name__
        ) from error
