"""``stagewise predict PACKAGE INPUT ... --out FILE``: answers for any number of inputs, in a file."""

import argparse
import hashlib
import importlib
import itertools
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stagewise.errors import PackageError
from stagewise.packaging import integrity
from stagewise.packaging.batch.journal import Journal
from stagewise.packaging.batch.rows import Item, Rows, is_path
from stagewise.packaging.batch.tables import TABLES, columns_of
from stagewise.packaging.predictor import USER_ERROR, Predictor, PredictorError

PART_ROWS = 2000
"""Rows that are made again after a sudden end, at most."""

_RUN_ROWS = 32
_STOPPED = 130
_IO_SCHEMA = "io.schema.json"

Record = dict[str, Any]


def wants_file(arguments: Sequence[str]) -> bool:
    """Whether arguments of ``stagewise predict`` ask for a file."""
    return any(argument == "--out" or argument.startswith("--out=") for argument in arguments)


def refuse_without_file(arguments: Sequence[str], folder: Path) -> None:
    """Refuse what only an answer in a file can be meant by: a folder, or the name of a table that is not there, last.

    Args:
        arguments: of the command line, behind the package, without ``--out``.
        folder: the package.

    Raises:
        PackageError: with the command that writes a file.
    """
    given = [argument for argument in arguments if not argument.startswith("-")]
    many = [item for item in given if is_path(item, Path.is_dir)]
    out = "answers.csv"
    if len(given) > 1 and given[-1].endswith(tuple(TABLES)) and not is_path(given[-1], Path.is_file):
        many, out = many or given[:1], given[-1]
    if many:
        raise PackageError(
            "answers for a folder, or into a file, need --out",
            where=many[0],
            fix=shlex.join(["stagewise", "predict", str(folder), *many, "--out", out]),
        )


def main(arguments: Sequence[str], folder: Path) -> int:
    """Write the answers; returns 0, 2 where a row is an error, 130 after Ctrl-C.

    Args:
        arguments: of the command line, behind the package.
        folder: the package.

    Raises:
        PackageError: the package, the inputs or the file cannot be used.
    """
    options = _parse(arguments)
    try:
        predictor = Predictor.load(folder, threads=options.threads)
        answers = Answerer(predictor, options.top)
        done, errors = write(answers, Rows(predictor, options.inputs), options.out, told=str(folder))
    except PredictorError as error:
        raise PackageError("the package cannot be used", where=str(folder), why=str(error)) from error
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on with {options.out}", file=sys.stderr)
        return _STOPPED
    print(f"{options.out}: {done:,} rows, {errors:,} of them with an error", file=sys.stderr)
    return USER_ERROR if errors else 0


class Answerer:
    """From inputs to records of the result; what is wrong with an input is kept in its own record.

    Args:
        predictor: answers.
        top: how many classes are told.
    """

    def __init__(self, predictor: Predictor, top: int) -> None:
        self._predictor, self._top = predictor, top
        schema = predictor.schema
        self._answers = importlib.import_module(schema["runtime"]["answers"]).Answers(schema["target"])

    def identity(self) -> dict[str, Any]:
        """What its answers depend on."""
        predictor = self._predictor
        return {"package": f"{predictor.name} {predictor.version}", "top": self._top}

    @property
    def top(self) -> int:
        """How many classes are told."""
        return self._top

    def records(self, items: Sequence[Item]) -> list[Record]:
        """A record per input, in their order."""
        records: list[Record] = [{"input": name, "error": None} for name, _ in items]
        rows: list[tuple[Record, NDArray[Any]]] = []
        for record, (name, value) in zip(records, items, strict=True):
            try:
                if isinstance(value, ValueError):
                    raise value
                rows.append((record, self._predictor.encode(value, name)))
            except (PredictorError, ValueError) as error:
                record["error"] = str(error).removeprefix(f"{name}: ")
        for begin in range(0, len(rows), _RUN_ROWS):
            self._fill(rows[begin : begin + _RUN_ROWS])
        return records

    def _fill(self, rows: list[tuple[Record, NDArray[Any]]]) -> None:
        """Answers of one run of the model; where that fails, each is asked alone, to find whose fault it is."""
        try:
            outputs = self._predictor.predict_array(self._predictor.reader.stack([row for _, row in rows]))
            if not all(np.isfinite(output).all() for output in outputs if output.dtype.kind == "f"):
                raise ValueError("the model gives something that is no finite number for it")
            found = self._answers.decode(outputs)
        except (PredictorError, ValueError) as error:
            if len(rows) == 1:
                rows[0][0]["error"] = str(error)
                return
            for row in rows:
                self._fill([row])
            return
        for (record, _), answer in zip(rows, found, strict=True):
            content = answer.to_dict(self._top)
            record |= content
            record["answer"] = content


def write(answers: Answerer, rows: Rows, out: Path, *, told: str, part_rows: int = PART_ROWS) -> tuple[int, int]:
    """Write a record per input to a file; parts that a run left which was ended are kept.

    Args:
        answers: make the records.
        rows: the inputs.
        out: ending in one of TABLES.
        told: the package's folder.
        part_rows: rows of a part.

    Returns:
        Rows, and how many of them are errors.

    Raises:
        PackageError: the file is there, or parts of another result are.
    """
    manifest = integrity.verify(Path(told))
    io_schema = integrity.parse(integrity.read_listed(Path(told), manifest, _IO_SCHEMA), _IO_SCHEMA)
    columns, table = columns_of(io_schema["$defs"]["answer"], answers.top), TABLES[out.suffix.lower()]
    identity = {
        **answers.identity(),
        "package files": _digest(sorted(manifest["files"].items())),
        "inputs": _digest(rows.seen()),
        "rows per part": part_rows,
    }
    with Journal.open(out, identity, out.suffix.lower()) as journal, _progress() as progress:
        task = progress.add_task("rows", total=rows.count(), completed=journal.rows)
        items = itertools.islice(rows, journal.rows, None)
        while some := list(itertools.islice(items, part_rows)):
            records = _advancing(answers, some, lambda count: progress.advance(task, count))
            errors = sum(record["error"] is not None for record in records)
            journal.add(table.part(records, columns), len(records), errors)
            progress.update(task, completed=journal.rows)
        done = journal.rows, journal.errors
        journal.finish(lambda file: table.join(journal.parts, columns, file))
    return done


def _advancing(answers: Answerer, items: list[Item], advance: Callable[[int], None]) -> list[Record]:
    records: list[Record] = []
    for begin in range(0, len(items), _RUN_ROWS):
        some = items[begin : begin + _RUN_ROWS]
        records += answers.records(some)
        advance(len(some))
    return records


def _digest(values: Any) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(repr(value).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="stagewise predict PACKAGE", description="Write the answers to a file.")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="files, folders, Parquet; or as without --out")
    parser.add_argument("--out", type=_out, required=True, metavar="FILE", help=f"ending in {', '.join(TABLES)}")
    parser.add_argument("--top", type=_positive, default=1, metavar="K", help="of classes: the K most likely, as JSON")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; 0 takes all cores (default: 1)")
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)  # the ending of the file tells it
    return parser.parse_args(arguments)


def _out(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in TABLES:
        raise argparse.ArgumentTypeError(f"{text} does not end in {', '.join(TABLES)}")
    return path


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
