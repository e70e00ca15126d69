"""The inputs of a run, one after the other: files, folders, and the rows within files."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagewise.errors import PackageError
from stagewise.packaging.predictor import Predictor

Item = tuple[str, Any]
"""A name, and a value for the reader or the error that there is instead."""

_PARQUET = (".parquet", ".pq")
_LINES = (".jsonl", ".ndjson")
_CHUNK = 1024
_ENDINGS = {
    "stagewise.runtime.image": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"),
    "stagewise.runtime.text": (".txt", ".csv", ".tsv", ".json", *_LINES),
    "stagewise.runtime.table": (".csv", ".tsv", ".txt", ".json", *_LINES),
    "stagewise.runtime.sound": (".wav", ".wave", ".flac"),
    "stagewise.runtime.series": (".csv",),
}
"""Of the files of a folder that are taken, by the module that reads them; .gz may follow. Other modules get all."""
_COLUMNS = {
    "stagewise.runtime.image": ("image", "bytes"),
    "stagewise.runtime.text": ("text",),
    "stagewise.runtime.sound": ("audio", "sound", "bytes"),
}
"""What the column of a Parquet file is called that holds the inputs."""


class Rows:
    """The inputs that the arguments of a command line name, always in the same order.

    Args:
        predictor: whose reader takes them.
        items: files, folders (with all folders in them), or what else the reader takes.

    Raises:
        PackageError: an argument is standard input, which cannot be read twice, or a folder without inputs.
    """

    def __init__(self, predictor: Predictor, items: Iterable[str]) -> None:
        self._reader, self._kind = predictor.reader, predictor.schema["runtime"]["inputs"]
        self._feature = predictor.schema["inputs"][0]
        self._items = list(items)
        if "-" in self._items:
            raise PackageError("standard input cannot be read again after a stop", fix="save it as a file first")
        for item in self._items:
            if is_path(item, Path.is_dir) and next(self._files(item), None) is None:
                raise PackageError("the folder holds nothing that this package takes", where=item)

    def __iter__(self) -> Iterator[Item]:
        """Each input; what cannot be read is there as an error, too."""
        for item in self._items:
            for file in self._files(item) if is_path(item, Path.is_dir) else [item]:
                yield from self._read(file)

    def seen(self) -> Iterator[tuple[str, int, int]]:
        """Name, size and time of change of every file, by which a changed input is recognised."""
        for item in self._items:
            for file in self._files(item) if is_path(item, Path.is_dir) else [item]:
                if is_path(file, Path.is_file):
                    found = Path(file).stat()
                    yield file, found.st_size, found.st_mtime_ns
                else:
                    yield file, -1, -1

    def count(self) -> int | None:
        """How many there are, where that can be told without reading them."""
        total = 0
        for item in self._items:
            for file in self._files(item) if is_path(item, Path.is_dir) else [item]:
                found = self._count(file)
                if found is None:
                    return None
                total += found
        return total

    def _count(self, file: str) -> int | None:
        if file.lower().endswith(_PARQUET) and is_path(file, Path.is_file):
            import pyarrow
            from pyarrow import parquet

            try:
                return int(parquet.read_metadata(file).num_rows)
            except (OSError, pyarrow.ArrowException):
                return 1
        return 1 if self._kind in ("stagewise.runtime.image", "stagewise.runtime.sound") else None

    def _files(self, folder: str) -> Iterator[str]:
        """Files of a folder and those within it, sorted; hidden ones are passed over."""
        endings = _ENDINGS.get(self._kind)
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                plain = name.lower().removesuffix(".gz")
                if not name.startswith(".") and (endings is None or plain.endswith((*endings, *_PARQUET))):
                    yield str(Path(place) / name)

    def _read(self, file: str) -> Iterator[Item]:
        """Rows of a file. What is wrong with the whole of it is one more row, so that nothing is lost unseen."""
        try:
            there = is_path(file, Path.is_file)
            if file.lower().endswith(_PARQUET) and there:
                yield from self._parquet(file)
            elif file.lower().endswith(_LINES) and self._kind == "stagewise.runtime.text" and there:
                yield from _lines(file)
            else:
                yield from self._reader.read(file)
        except FileNotFoundError:
            yield file, ValueError("no such file")
        except (OSError, ValueError) as error:
            yield file, ValueError(f"cannot be read any further ({error})")

    def _parquet(self, file: str) -> Iterator[Item]:
        from pyarrow import parquet

        with parquet.ParquetFile(file) as table:
            names = self._names(table.schema_arrow.names)
            number = 0
            for batch in table.iter_batches(_CHUNK, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file}#{number}", row if self._kind.endswith(".table") else _value(row[names[0]])

    def _names(self, there: list[str]) -> list[str]:
        """Columns that are read."""
        if self._kind == "stagewise.runtime.table":
            wanted = dict.fromkeys(column["source"] for column in self._feature["columns"])
            return [name for name in wanted if name in there]
        wanted_any = _COLUMNS.get(self._kind)
        if wanted_any is None:
            raise ValueError("this package does not take Parquet files")
        for name in wanted_any:
            if name in there:
                return [name]
        raise ValueError(f"no column is named {' or '.join(wanted_any)}; there are {', '.join(there)[:200]}")


def is_path(item: str, test: Any) -> bool:
    """Whether an argument is a file or folder; a text may be no possible name of one."""
    try:
        return bool(test(Path(item)))
    except (OSError, ValueError):
        return False


def _value(cell: Any) -> Any:
    """Of a cell that holds a file with its name, the file. A name alone is never opened."""
    if isinstance(cell, Mapping) and "bytes" in cell:
        cell = cell["bytes"]
    return ValueError("there is no value") if cell is None else cell


def _lines(file: str) -> Iterator[Item]:
    """One JSON value per line; a bad line is an error of its own."""
    with Path(file).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield f"{file}:{number}", json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield f"{file}:{number}", ValueError(f"it is no JSON ({error})")
