"""A package's .zip, unpacked into a folder of its own; nothing in it can lead out of there."""

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from stagewise.packaging.integrity import MANIFEST, PredictorError, name_problem, told

_ENTRIES = 10_000
_RATIO = 100
_SMALL = 1024**2
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Yield the folder of the package that a .zip holds, for as long as the context lasts.

    Raises:
        PredictorError: it is no zip, or holds a name, a link or an amount that no package holds.
    """
    with TemporaryDirectory(prefix="stagewise-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                names = _names(archive, path)
                _extract(archive, names, Path(folder))
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError, ValueError) as error:
            raise PredictorError(f"{path} cannot be unpacked ({told(error)})") from error
        yield Path(folder) / next(iter(names.values())).partition("/")[0]


def _names(archive: zipfile.ZipFile, path: Path) -> dict[zipfile.ZipInfo, str]:
    """The files of an archive by their entry; all lie below one folder."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if not entries or len(entries) > _ENTRIES:
        raise PredictorError(f"{path} holds {len(entries):,} files, which no package does")
    if sum(entry.file_size for entry in entries) > _RATIO * path.stat().st_size + _SMALL:
        raise PredictorError(f"{path} would unpack to more than {_RATIO} times its size")
    names = {entry: entry.filename for entry in entries}
    tops = {name.partition("/")[0] for name in names.values()}
    if len({name.lower() for name in names.values()}) < len(entries) or len(tops) != 1:
        raise PredictorError(f"{path} does not hold one folder of files with different names")
    for entry, name in names.items():
        problem = _problem(entry, name)
        if problem:
            raise PredictorError(f"{path} is refused: {told(name)} {problem}")
    return names


def _problem(entry: zipfile.ZipInfo, name: str) -> str | None:
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is no plain file"
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
        return "is encrypted, or packed in a way that no package is"
    top, _, rest = name.partition("/")
    if "\0" in entry.orig_filename:
        return "is no plain name of a file"
    return name_problem(top) or (None if rest == MANIFEST else name_problem(rest))


def _extract(archive: zipfile.ZipFile, names: dict[zipfile.ZipInfo, str], folder: Path) -> None:
    for entry, name in names.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, target.open("xb") as sink:
            left = entry.file_size
            while left and (block := source.read(min(left, _SMALL))):
                sink.write(block)
                left -= len(block)
