"""WAV and FLAC files: in class folders, described by their names, or listed in a CSV file."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from stagewise.data.readers.files import inside, locate, split_of, visible
from stagewise.data.readers.names import NameSplits, SeenValues, compile_pattern
from stagewise.data.recording import Recording
from stagewise.data.sample import Sample
from stagewise.errors import ConfigError, DataError
from stagewise.runtime.sound import SUFFIXES, decode

OTHER_SUFFIXES = frozenset(
    {".mp3", ".ogg", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff", ".au", ".snd", ".caf", ".amr", ".webm", ".raw"}
)
"""Endings of sound files that are not read, and are told instead of passed over."""

_MAX_ROW_SHOWN = 80
_FORMAT_OF = {".wav": "WAV", ".wave": "WAV", ".flac": "FLAC"}


class SoundFilesReader:
    """Recordings with their labels, decoded at their own rate; streamed, in the order of their names.

    The label is, in this order: the column ``label_column`` where there is a ``table``; the group ``label`` of
    ``pattern``; the class folder a file lies in, however deep below it. Folders that wrap everything are looked
    through, and class folders may lie below ``train``, ``validation`` and ``test``.

    A file that cannot be used (not audio, empty, truncated, not finite, of another format than its ending says, or
    not matched by ``pattern``) is a sample with an error. Files that are no sound files by their ending are passed
    over.

    Args:
        path: the folder below data/raw/ that holds the recordings.
        pattern: a regular expression that file names (without folders) match as a whole; its named groups are the
            ``label`` and whatever ``split`` asks for, e.g. "(?P<label>[0-9])_(?P<speaker>[a-z]+)_[0-9]+[.]wav".
        split: published splits by groups of ``pattern``: {test: {speaker: [theo]}, validation: {speaker: [lucas]}}.
            Where several groups are named, all must fit; a row that fits two splits belongs to test, then validation.
            Rows that fit none are divided by ``data.split``.
        table: a CSV file below ``path`` that lists the recordings, relative to its own folder.
        path_column: column of ``table`` with the files.
        label_column: column of ``table`` with the labels.
        split_column: column of ``table`` with train, validation or test, when the data is published so.
        root: data/raw/.

    Raises:
        ConfigError: the pattern is no regular expression or could take forever, or the arguments contradict each other.
    """

    def __init__(
        self,
        path: str = ".",
        pattern: str | None = None,
        split: dict[str, dict[str, list[str | int]]] | None = None,
        table: str | None = None,
        path_column: str = "path",
        label_column: str = "label",
        split_column: str | None = None,
        *,
        root: Path,
    ) -> None:
        if table and (pattern or split):
            fix = "leave them out; data.reader.split_column names a column with the splits"
            raise ConfigError("a table takes no pattern and no split", where="data.reader.table", fix=fix)
        self._path, self._root = path, Path(root)
        self._pattern = None if pattern is None else compile_pattern(pattern)
        self._splits = NameSplits(split or {}, self._pattern)
        self._table = table
        self._columns = (path_column, label_column, split_column)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the recordings by file name, or in the order of the table.

        Raises:
            DataError: the folder or table is missing or holds no recording, or ``split`` names values that none has.
        """
        base = locate(self._root, self._path)
        found = False
        for sample in self._from_table(base) if self._table else self._from_folder(base):
            found = True
            yield sample
        if not found:
            raise DataError(
                f"there is no recording below {base.as_posix()}",
                where="data.reader.path",
                why=f"files ending in {', '.join(SUFFIXES)} are read",
                fix="correct data.reader.path, or what data.source brings",
            )

    def _from_folder(self, base: Path) -> Iterator[Sample]:
        if not base.is_dir():
            raise DataError(f"{self._path} is no folder", where="data.reader.path")
        seen = SeenValues(self._splits)
        if self._pattern is None or "label" not in self._pattern.groupindex:
            base = _unwrap(base)
        for path, label, split in _class_files(base):
            groups, error = self._match(path)
            seen.note(groups)
            label = groups.get("label", label)
            yield self._sample(path, label or None, self._splits.of(groups) or split, error)
        seen.check()

    def _match(self, path: Path) -> tuple[dict[str, str], str | None]:
        """The named groups in a file's name, or why it has none."""
        if self._pattern is None:
            return {}, None
        match = self._pattern.fullmatch(path.name)
        if match is None:
            return {}, "its name does not match data.reader.pattern"
        return {name: value for name, value in match.groupdict().items() if value is not None}, None

    def _sample(self, path: Path, label: str | None, split: str | None, error: str | None) -> Sample:
        name = path.relative_to(self._root).as_posix()
        value, error = (None, error) if error else _read(path)
        return Sample(id=name, value=value, label=label, split=split, error=error)

    def _from_table(self, base: Path) -> Iterator[Sample]:
        table = locate(base, self._table or "")
        name = table.relative_to(self._root).as_posix()
        integers = all(_is_integer(row[1]) for row in _rows(table, self._columns) if isinstance(row, tuple))
        for number, row in enumerate(_rows(table, self._columns), start=1):
            row_id = f"{name}#{number}"
            if isinstance(row, str):
                yield Sample(id=row_id, value=None, label=None, error=row)
                continue
            path, label, published = row
            split = split_of(published) if published else None
            if published and split is None:
                fix = "write train, validation or test, or leave data.reader.split_column out"
                raise DataError(f"{published!r} is no split", where=row_id, fix=fix)
            value, error = self._read_listed(table, path)
            known = None if not label else int(label) if integers else label
            yield Sample(id=row_id, value=value, label=known, split=split, error=error)

    def _read_listed(self, table: Path, name: str) -> tuple[Recording | None, str | None]:
        path = inside(table.parent, name, self._root) if name else None
        if not name:
            return None, "it names no file"
        if path is None:
            return None, f"{name} lies outside of {self._root.name}"
        if not path.is_file():
            return None, f"there is no file {name}"
        value, error = _read(path)
        return value, f"{name}: {error}" if error else None


def _read(path: Path) -> tuple[Recording | None, str | None]:
    """The recording, or why there is none."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return None, f"files ending in {suffix or 'nothing'} are not read: convert it to WAV or FLAC"
    try:
        sound = decode(path)
    except ValueError as error:
        return None, str(error)
    except OSError as error:
        return None, f"it cannot be read ({error.strerror})"
    if sound.format != _FORMAT_OF[suffix]:
        return None, f"it is a {sound.format} file, but its name ends in {suffix}"
    return Recording(sound.rate, sound.samples), None


def _unwrap(folder: Path) -> Path:
    """Go down while there is nothing but one folder, which has folders itself."""
    while True:
        inner = [path for path in visible(folder) if path.is_dir()]
        files = any(_is_sound(path) for path in visible(folder))
        if files or len(inner) != 1 or split_of(inner[0].name) or not any(p.is_dir() for p in visible(inner[0])):
            return folder
        folder = inner[0]


def _class_files(base: Path) -> Iterator[tuple[Path, str | None, str | None]]:
    """(file, class folder, split folder) of the sound files below ``base``, by name."""
    folders = [path for path in visible(base) if path.is_dir()]
    splits = bool(folders) and all(split_of(path.name) for path in folders)
    nested = any(inner.is_dir() for path in folders for inner in visible(path)) if splits else False
    depth = 1 if nested else 0
    for path in _files_below(base):
        parents = path.relative_to(base).parts[:-1]
        split = split_of(parents[0]) if nested and parents else None
        yield path, parents[depth] if len(parents) > depth else None, split


def _files_below(folder: Path) -> Iterator[Path]:
    """Sound files in a folder and the folders in it, by name; linked folders are not entered."""
    for path in visible(folder):
        if path.is_dir() and not path.is_symlink():
            yield from _files_below(path)
        elif _is_sound(path):
            yield path


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in {*SUFFIXES, *OTHER_SUFFIXES} and not path.is_dir()


def _rows(table: Path, columns: tuple[str, str, str | None]) -> Iterator[tuple[str, str, str] | str]:
    """(path, label, split) of each row of a CSV file, as text without blanks around it, or what is wrong with it."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            places = [_column(table, header, name) if name else None for name in columns]
            for row in rows:
                if len(row) == len(header):
                    path, label, split = ("" if place is None else row[place].strip() for place in places)
                    yield path, label, split
                elif row:
                    shown = ",".join(row)[:_MAX_ROW_SHOWN]
                    yield f"it has {len(row)} columns, {len(header)} expected: {shown}"
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{table.name} cannot be read", where=str(table), why=str(error)) from error


def _column(table: Path, header: list[str], name: str) -> int:
    if header.count(name) != 1:
        what = "has more than one column" if name in header else "has no column"
        raise DataError(
            f"{table.name} {what} {name}",
            where=str(table),
            details=[f"it has {column}" for column in header[:10]],
            fix="set data.reader.path_column, label_column and split_column to names of columns",
        )
    return header.index(name)


def _is_integer(label: str) -> bool:
    return not label or re.fullmatch("0|-?[1-9][0-9]{0,17}", label) is not None
