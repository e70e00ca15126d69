"""The parts of a result beside the file that they will become, and which of them are whole."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from stagewise.errors import PackageError

_NAME = "journal.jsonl"


class Journal:
    """``OUT.parts/``: a line that tells what is made of what, then one per part with its digest.

    A part is written whole under another name, flushed to disk, and renamed; only then is its line written. So whatever
    moment a run is ended at, every part with a line is whole, and any other is made again.

    Args:
        out: the file that the result becomes.
        identity: what the result depends on.
        ending: of the names of the parts.

    Raises:
        PackageError: there are parts of another result, or one was damaged.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any], ending: str) -> None:
        self.folder = out.with_name(f"{out.name}.parts")
        self._out, self._ending, self._identity = out, ending, dict(identity)
        self._lines: list[dict[str, Any]] = []

    @classmethod
    @contextmanager
    def open(cls, out: Path, identity: Mapping[str, Any], ending: str) -> Iterator[Self]:
        """Go on with the parts that are there, or begin; nobody else can meanwhile."""
        journal = cls(out, identity, ending)
        if out.exists() and not (journal.folder / _NAME).exists():
            shutil.rmtree(journal.folder, ignore_errors=True)  # of a run that was ended while it removed them
            raise PackageError("the file is there already", where=str(out), fix="remove it, or name another one")
        journal.folder.mkdir(parents=True, exist_ok=True)
        with _locked(journal.folder):
            journal._resume()
            yield journal

    @property
    def parts(self) -> list[Path]:
        """Whole parts, in their order."""
        return [self._path(number) for number in range(len(self._lines))]

    @property
    def rows(self) -> int:
        """Rows of all of them."""
        return sum(line["rows"] for line in self._lines)

    @property
    def errors(self) -> int:
        """How many of the rows are errors."""
        return sum(line["errors"] for line in self._lines)

    def add(self, content: bytes, rows: int, errors: int) -> None:
        """One more part."""
        number = len(self._lines)
        _replace(self._path(number), content)
        line = {"part": number, "rows": rows, "errors": errors, "sha256": hashlib.sha256(content).hexdigest()}
        with (self.folder / _NAME).open("ab") as file:
            file.write(_line(line))
            _flush(file)
        self._lines.append(line)

    def finish(self, write: Any) -> None:
        """Make the result of the parts (``write(file)``), and remove them."""
        made = self.folder / "joined"
        with made.open("wb") as file:
            write(file)
            _flush(file)
        made.replace(self._out)
        (self.folder / _NAME).unlink()  # first: from here on the parts mean nothing
        shutil.rmtree(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}{self._ending}"

    def _resume(self) -> None:
        file = self.folder / _NAME
        known = list(_read(file)) if file.is_file() else []
        if known and known[0] != self._identity:
            names = [name for name in self._identity if known[0].get(name) != self._identity[name]]
            raise PackageError(
                f"an unfinished run has other {' and '.join(names) or 'settings'}",
                where=str(self.folder),
                fix="repeat its command, or remove that folder to begin anew",
            )
        for line in known[1:]:
            path = self._path(line["part"])
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != line["sha256"]:
                raise PackageError("a part is missing or damaged", where=str(path), fix="remove its folder")
            self._lines.append(line)
        _replace(file, b"".join(map(_line, [self._identity, *self._lines])))  # without half a last line


def _read(file: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; half a last one is what a sudden end left."""
    for line in file.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            return
        yield json.loads(line)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode() + b"\n"


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        _flush(file)
    new.replace(path)


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone with a folder, until the end of the process at the latest."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise PackageError("another run writes this file", where=str(folder), fix="wait for its end") from error
    try:
        yield
    finally:
        os.close(handle)
