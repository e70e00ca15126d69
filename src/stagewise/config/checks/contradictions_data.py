"""Contradictions within the ``data`` section."""

from collections import Counter
from collections.abc import Callable, Iterator

from stagewise.config.checks.mistakes import Mistake, nearest
from stagewise.config.schema.data import DataSection

SPLITS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
"""The keys by which readers of several files name splits; ``all`` names none."""

_BY_SPLIT = ("images", "files")
"""Arguments of readers that may name files by split."""

_REMOTE = ("http://", "https://", "s3://", "gs://", "az://", "abfs://", "hf://", "ftp://")


def published_splits(data: DataSection) -> set[str] | None:
    """Return the splits that the data comes in, as far as the config says: None where only the data can tell."""
    for name in _BY_SPLIT:
        files = data.reader.arguments.get(name)
        if isinstance(files, dict):
            return {SPLITS[key.lower()] for key in files if key.lower() in SPLITS}
    return set() if data.reader.target.endswith(".PixelTableReader") else None


def check_source(data: DataSection) -> Iterator[Mistake]:
    """The raw data comes from a path or from files, not from both."""
    if data.source.path is not None and data.source.files:
        yield Mistake(("data", "source"), "has both path and files: give one of them")
    if data.source.path is None and not data.source.files:
        yield Mistake(("data", "source"), "has neither path nor files: there is no data to train on")


def check_files(data: DataSection) -> Iterator[Mistake]:
    """File names are unique, and what comes from elsewhere has a digest and some place to come from."""
    counts = Counter(file.name for file in data.source.files)
    for number, file in enumerate(data.source.files):
        key = ("data", "source", "files", number)
        if counts[file.name] > 1:
            yield Mistake((*key, "name"), f"{file.name!r} is the name of {counts[file.name]} files")
        if not file.urls:
            yield Mistake((*key, "urls"), "names no place to fetch the file from")
        if file.sha256 is None and any(url.startswith(_REMOTE) for url in file.urls):
            yield Mistake((*key, "sha256"), "is required for a file from elsewhere: it may change, or be changed")


def check_reader_files(data: DataSection) -> Iterator[Mistake]:
    """The files that a reader names are among those that are fetched."""
    names = [file.name for file in data.source.files]
    if not names or any(file.extract for file in data.source.files):
        return
    for key, name in _files_of(data):
        if name not in names:
            yield Mistake(("data", "reader", *key), f"{name!r} is not among data.source.files", nearest(name, names))


def check_splits(data: DataSection) -> Iterator[Mistake]:
    """The keys of a reader name splits, the same for inputs and labels, and some rows are left to test with."""
    images, labels, tables = (data.reader.arguments.get(name) for name in ("images", "labels", "files"))
    for name, files in (("images", images), ("labels", labels), ("files", tables)):
        for key in files if isinstance(files, dict) else ():
            if key.lower() not in SPLITS and key != "all":
                valid = ["train", "validation", "test", "all"]
                yield Mistake(("data", "reader", name, key), f"{key!r} is no split", nearest(key, valid))
    if isinstance(images, dict) and isinstance(labels, dict) and images.keys() != labels.keys():
        why = f"has {', '.join(sorted(labels))}, but images has {', '.join(sorted(images))}"
        yield Mistake(("data", "reader", "labels"), why)
    published = published_splits(data)
    if not data.split.test and published is not None and "test" not in published:
        yield Mistake(("data", "split", "test"), "is 0 and the data publishes no test rows: nothing could be evaluated")


def check_classes(data: DataSection) -> Iterator[Mistake]:
    """There are two classes or more, with different names."""
    if data.classes is None:
        return
    if len(data.classes) < 2:
        yield Mistake(("data", "classes"), f"{len(data.classes)} class leaves nothing to tell apart")
    for name, count in Counter(data.classes).items():
        if count > 1:
            yield Mistake(("data", "classes"), f"{name!r} is named {count} times")


def _files_of(data: DataSection) -> Iterator[tuple[tuple[str, ...], str]]:
    arguments = data.reader.arguments
    if isinstance(arguments.get("file"), str):
        yield ("file",), arguments["file"]
    for name in ("images", "labels") if data.reader.target.endswith(".IdxReader") else ():
        for split, file in arguments.get(name, {}).items():
            yield (name, split), file


DATA_CHECKS: tuple[Callable[..., Iterator[Mistake]], ...] = (
    check_source,
    check_files,
    check_reader_files,
    check_splits,
    check_classes,
)
"""The checks of this module."""
