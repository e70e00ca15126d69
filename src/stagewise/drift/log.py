"""The log of requests: JSON lines of what was measured and answered, never of what was sent."""

import hashlib
import hmac
import json
import math
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from stagewise.drift.columns import INPUT, Column, Table
from stagewise.drift.options import DriftError, Redaction
from stagewise.drift.reference import plain


class RequestLog:
    """A file of JSON lines of bounded size; for any number of threads.

    Args:
        path: of the file, which is added to; only its owner may read it.
        most: bytes of one file.
        files: all that are kept: ``path``, ``path.1``, ...
        redactions: what every line goes through before it is written.

    Raises:
        DriftError: the file cannot be written.
    """

    def __init__(self, path: Path, most: int, files: int, redactions: Sequence[Redaction] = ()) -> None:
        self._path, self._most, self._files = path, most, files
        self._redactions = tuple(redactions)
        self._lock = threading.Lock()
        try:
            self._file = self._open()
        except OSError as error:
            raise DriftError("the log cannot be written", where=str(path), why=error.strerror) from error

    def write(self, line: dict[str, Any]) -> None:
        """Write a line, unless a redaction keeps it back; what a redaction raises keeps it back too.

        Raises:
            OSError: the disk is full.
        """
        found: dict[str, Any] | None = line
        for redaction in self._redactions:
            if found is None:
                return
            found = redaction(found)
        if found is None:
            return
        text = json.dumps(found, ensure_ascii=True, allow_nan=False) + "\n"
        with self._lock:
            if self._size and self._size + len(text) > self._most:
                self._rotate()
            if len(text) <= self._most:
                self._file.write(text)
                self._file.flush()
                self._size += len(text)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _open(self) -> TextIO:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = os.fstat(file).st_size
        return os.fdopen(file, "a", encoding="ascii")

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._files - 1, 0, -1):
            older = _aside(self._path, number - 1)
            if older.exists():
                older.replace(_aside(self._path, number))
        if self._files == 1:
            self._path.unlink()
        self._file = self._open()


def drop_inputs(line: dict[str, Any]) -> dict[str, Any]:
    """Leave out all that was measured of inputs; of a table that is its values."""
    rows = [{name: value for name, value in row.items() if not name.startswith(f"{INPUT}.")} for row in _rows(line)]
    return {**line, "rows": rows} if "rows" in line else line


def hash_ids() -> Redaction:
    """Digests in place of the ids of requests, by a key that this process forgets: equal ids stay equal in its log."""
    key = secrets.token_bytes(32)

    def redact(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "id": hmac.new(key, str(line["id"]).encode(), hashlib.sha256).hexdigest()[:24]}

    return redact


def redactions_of(names: Sequence[str]) -> list[Redaction]:
    """The redactions of these names."""
    known = {"drop-inputs": lambda: drop_inputs, "hash-ids": hash_ids}
    return [known[name]() for name in names]


def line_of(who: Mapping[str, Any], key: str, columns: Sequence[Column], table: Table) -> dict[str, Any]:
    """A line of the log.

    Args:
        who: ``id``, ``model``, ``version``, ``role``.
        key: ``rows`` or ``outcomes``.
        columns: of the table.
        table: a row per input of the request.
    """
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    rows = [
        {column.name: _value(column, value) for column, value in zip(columns, row, strict=True)}
        for row in table.tolist()
    ]
    return {"time": moment, **who, key: rows}


def table_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> Table:
    """The table that a line was made of.

    Raises:
        KeyError: a column is not there.
        ValueError, TypeError: a value is none of its column.
    """
    found = np.empty((len(rows), len(columns)), np.float32)
    for place, row in enumerate(rows):
        for number, column in enumerate(columns):
            value = row[column.name]
            if column.labels:
                found[place, number] = column.labels.index(value)
            else:
                found[place, number] = math.nan if value is None else float(value)
    return found


def read_log(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (place, line) of a log, the oldest first, with the files that were put aside; None for what is no line.

    Raises:
        DriftError: there is no such file.
    """
    files = [path]
    while (older := _aside(path, len(files))).is_file():
        files.append(older)
    for file in reversed(files):
        try:
            with file.open(encoding="utf-8", errors="replace") as lines:
                for number, text in enumerate(lines, start=1):
                    yield f"{file}:{number}", _parse(text)
        except OSError as error:
            raise DriftError("the log cannot be read", where=str(file), why=error.strerror) from error


def _parse(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _rows(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(line.get("rows", ()))


def _value(column: Column, value: float) -> Any:
    if column.labels:
        return column.labels[int(value)]
    return plain(value) if math.isfinite(value) else None


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path
