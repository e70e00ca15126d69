"""Objects of a cache on disk: whole, damaged, missing."""

import hashlib
import json
from pathlib import Path

import pytest

from stagewise.config.cache import LockedOut, damaged_objects, missing_objects, object_path, set_aside


def put(cache: Path, content: bytes, suffix: str = "") -> str:
    md5 = hashlib.md5(content).hexdigest() + suffix
    object_path(cache, md5).parent.mkdir(parents=True, exist_ok=True)
    object_path(cache, md5).write_bytes(content)
    return md5


@pytest.fixture
def files() -> dict[str, bytes]:
    return {"a.bin": b"a" * 1000, "deep/b.bin": b"b"}


@pytest.fixture
def folder(tmp_path: Path, files: dict[str, bytes]) -> LockedOut:
    entries = [{"md5": put(tmp_path, content), "relpath": name} for name, content in files.items()]
    return LockedOut("data/raw", put(tmp_path, json.dumps(entries).encode(), ".dir"))


def test_a_whole_folder(tmp_path: Path, folder: LockedOut) -> None:
    assert missing_objects(tmp_path, folder) == [] and damaged_objects(tmp_path, folder) == []


@pytest.mark.parametrize("name", ["a.bin", "deep/b.bin"])
def test_a_file_of_a_folder(tmp_path: Path, folder: LockedOut, files: dict[str, bytes], name: str) -> None:
    file = object_path(tmp_path, hashlib.md5(files[name]).hexdigest())
    file.write_bytes(b"c" + files[name][1:])
    (damaged,) = damaged_objects(tmp_path, folder)
    assert (damaged.path, damaged.object) == (f"data/raw/{name}", file)
    assert damaged.why == f"its MD5 is {hashlib.md5(file.read_bytes()).hexdigest()}"
    assert missing_objects(tmp_path, folder) == []
    aside = set_aside(damaged)
    assert aside.name == f"{file.name}.damaged" and aside.is_file()
    assert damaged_objects(tmp_path, folder) == []
    assert [lost.path for lost in missing_objects(tmp_path, folder)] == [f"data/raw/{name}"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"md5": 1}]', b'{"md5": "x"}', b"\xff"])
def test_a_list_that_cannot_be_read(tmp_path: Path, folder: LockedOut, content: bytes) -> None:
    object_path(tmp_path, folder.md5).write_bytes(content)
    assert [damaged.path for damaged in damaged_objects(tmp_path, folder)] == ["data/raw"]


def test_an_object_that_is_known_is_not_read_again(tmp_path: Path) -> None:
    out = LockedOut("model", put(tmp_path, b"weights"))
    whole: set[Path] = set()
    assert damaged_objects(tmp_path, out, whole) == []
    assert whole == {object_path(tmp_path, out.md5)}
    object_path(tmp_path, out.md5).write_bytes(b"others")
    assert damaged_objects(tmp_path, out, whole) == []
    assert [damaged.path for damaged in damaged_objects(tmp_path, out)] == ["model"]


def test_nothing_there(tmp_path: Path) -> None:
    out = LockedOut("model", "0" * 32)
    assert [lost.why for lost in missing_objects(tmp_path, out)] == ["it is not there"]
    assert damaged_objects(tmp_path, out) == []
