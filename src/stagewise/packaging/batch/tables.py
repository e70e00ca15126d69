"""Parts of a result and how they become one file: CSV, JSON Lines or Parquet."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

Record = Mapping[str, Any]
Columns = Mapping[str, str]
"""Name to ``text``, ``number`` or ``json``, in the order of the file."""


class Table(Protocol):
    """One format of a result."""

    def part(self, records: Sequence[Record], columns: Columns) -> bytes:
        """The content of a part."""

    def join(self, parts: Sequence[Path], columns: Columns, out: BinaryIO) -> None:
        """Write all parts as one file, a part at a time."""


def columns_of(answer: Mapping[str, Any], top: int) -> Columns:
    """Columns for an answer.

    Args:
        answer: its entry in io.schema.json.
        top: how many classes are told; of one only its name and probability are.
    """
    kinds = {"number": "number", "integer": "number", "string": "text"}
    found = {
        name: "text" if "enum" in entry or "const" in entry else kinds.get(str(entry.get("type")), "json")
        for name, entry in answer.get("properties", {}).items()
        if name != "top" or top > 1
    }
    return {"input": "text", **(found or {"answer": "json"}), "error": "text"}


class Csv:
    """Comma-separated, UTF-8, with a line of names; what is nested is written as JSON."""

    def part(self, records: Sequence[Record], columns: Columns) -> bytes:
        """Lines without that of the names."""
        return _csv([[_cell(record.get(name), kind) for name, kind in columns.items()] for record in records])

    def join(self, parts: Sequence[Path], columns: Columns, out: BinaryIO) -> None:
        """The names, then the lines of all parts."""
        out.write(_csv([list(columns)]))
        for part in parts:
            out.write(part.read_bytes())


class JsonLines:
    """An object per line; ``error`` is null where there is an answer."""

    def part(self, records: Sequence[Record], columns: Columns) -> bytes:
        """A line per record."""
        lines = (
            json.dumps({name: record[name] for name in columns if name in record}, ensure_ascii=False)
            for record in records
        )
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")

    def join(self, parts: Sequence[Path], columns: Columns, out: BinaryIO) -> None:  # noqa: ARG002
        """The lines of all parts."""
        for part in parts:
            out.write(part.read_bytes())


class Parquet:
    """A row group per part; what is nested is written as JSON."""

    def part(self, records: Sequence[Record], columns: Columns) -> bytes:
        """A file of its own."""
        import pyarrow
        from pyarrow import parquet

        cells = {name: [_clean(_cell(record.get(name), kind)) for record in records] for name, kind in columns.items()}
        out = io.BytesIO()
        parquet.write_table(pyarrow.table(cells, schema=_schema(columns)), out)
        return out.getvalue()

    def join(self, parts: Sequence[Path], columns: Columns, out: BinaryIO) -> None:
        """The row groups of all parts."""
        from pyarrow import parquet

        with parquet.ParquetWriter(out, _schema(columns)) as writer:
            for part in parts:
                writer.write_table(parquet.read_table(io.BytesIO(part.read_bytes())))


TABLES: dict[str, Table] = {".csv": Csv(), ".jsonl": JsonLines(), ".ndjson": JsonLines(), ".parquet": Parquet()}
"""By the ending of the file."""


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any, kind: str) -> Any:
    if value is None or kind != "json":
        return value
    return json.dumps(value, ensure_ascii=False)


def _clean(value: Any) -> Any:
    """Text without halves of characters, which UTF-8 cannot say."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _schema(columns: Columns) -> Any:
    import pyarrow

    types = {"number": pyarrow.float64()}
    return pyarrow.schema([(name, types.get(kind, pyarrow.string())) for name, kind in columns.items()])
