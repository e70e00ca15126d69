"""The ingest stage as a whole: published files, the user's own data, the record, and what failures leave."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from stagewise.config.schema.data import IngestSettings, Source
from stagewise.data.sources import local as local_module
from stagewise.data.sources.download import Patience
from stagewise.data.sources.files import copy_file, move_file
from stagewise.data.sources.ingest import ingest
from stagewise.errors import ArchiveError, SourceError


def settings(source: dict[str, Any], **more: Any) -> IngestSettings:
    return IngestSettings.model_validate({"name": "toy", "source": source} | more)


def entry(content: bytes, url: str, name: str = "data.bin", **more: Any) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "urls": [url], "sha256": digest, "bytes": len(content)} | more


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def flowers(folder: Path) -> Path:
    for name, content in {"rose/1.png": b"one", "rose/2.png": b"two", "tulip/3.png": b"three"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path.read_bytes()


def failure(config: IngestSettings, out: Path, partial: Path, **more: Any) -> str:
    with pytest.raises(SourceError) as caught:
        ingest(config, out, partial=partial, **more)
    assert list(out.iterdir()) == []
    return str(caught.value)


def test_the_record_is_the_same_wherever_the_bytes_come_from(
    server: Any, tmp_path: Path, patience: Patience, partial: Path
) -> None:
    config = settings({"files": [entry(server.content, server.url())], "license": "CC0", "citation": "A. Müller"})
    by_name, flat = tmp_path / "by_name", tmp_path / "flat"
    for folder in (by_name / "toy", flat):
        folder.mkdir(parents=True)
        (folder / "data.bin").write_bytes(server.content)
    trees = []
    for number, mirror in enumerate([None, by_name, flat, tmp_path / "missing"]):
        out = tmp_path / str(number)
        out.mkdir()
        ingest(config, out, mirror=mirror, partial=partial, patience=patience)
        trees.append(tree(out))
    assert len(server.requests) == 2
    assert all(other == trees[0] for other in trees)
    record = json.loads(trees[0]["ingest.json"])
    assert record == {
        "version": 1,
        "name": "toy",
        "license": "CC0",
        "citation": "A. Müller",
        "files": [entry(server.content, server.url())],
    }


def test_the_mirror_of_the_config_wins(tmp_path: Path, out: Path, partial: Path) -> None:
    for name, content in {"config": b"right", "argument": b"wrong"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.bin").write_bytes(content)
    config = settings({"files": [entry(b"right", "http://127.0.0.1:9/")]}, mirror=str(tmp_path / "config"))
    ingest(config, out, mirror=tmp_path / "argument", partial=partial)
    assert (out / "data.bin").read_bytes() == b"right"


def test_archives_are_unpacked_and_dropped(tmp_path: Path, out: Path, partial: Path) -> None:
    content = zipped(tmp_path / "pics.zip", {"top/a.png": b"a", "top/b.png": b"bb"})
    config = settings({"files": [entry(content, str(tmp_path / "pics.zip"), "pics.zip", extract=True)]})
    ingest(config, out, partial=partial)
    files = tree(out)
    record = json.loads(files.pop("ingest.json"))
    assert files == {"pics/top/a.png": b"a", "pics/top/b.png": b"bb"}
    assert record["files"][0]["extracted"] == {"folder": "pics", "files": 2, "bytes": 3}


def test_a_failure_leaves_nothing_of_the_files_before_it(tmp_path: Path, out: Path, partial: Path) -> None:
    good = zipped(tmp_path / "good.zip", {"a": b"a"})
    bad = zipped(tmp_path / "bad.zip", {"../a": b"a"})
    entries = [entry(c, str(tmp_path / n), n, extract=True) for n, c in {"good.zip": good, "bad.zip": bad}.items()]
    with pytest.raises(ArchiveError):
        ingest(settings({"files": entries}), out, partial=partial)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, "it has neither"),
        ({"files": [entry(b"x", "x")], "path": "y"}, "it has both"),
        (
            {"files": [entry(b"x", "x"), entry(b"x", "x", "DATA.bin")]},
            "two files would be written to data/raw/data.bin",
        ),
        ({"files": [entry(b"x", "x", "ingest.json")]}, "two files"),
        ({"files": [entry(b"x", "x", "a.zip", extract=True), entry(b"x", "x", "a")]}, "two files"),
        ({"files": [entry(b"x", "x", "a.png", extract=True)]}, "a.png cannot be unpacked"),
        ({"files": [{"name": "x", "urls": []}]}, "x has no URL, and no mirror holds it"),
        ({"path": "nowhere/flowers"}, "there is nothing at nowhere/flowers"),
    ],
)
def test_sources_that_cannot_be(source: dict[str, Any], words: str, out: Path, partial: Path) -> None:
    assert words in failure(settings(source), out, partial)


def test_a_folder_of_ones_own(tmp_path: Path, out: Path, partial: Path) -> None:
    own = flowers(tmp_path / "own" / "flowers")
    (own / ".DS_Store").write_bytes(b"x")
    (own / "rose" / "Thumbs.db").write_bytes(b"x")
    (own / ".git").mkdir()
    (own / ".git" / "config").write_bytes(b"x")
    (own / "tulip" / "again.png").symlink_to("../rose/1.png")
    ingest(settings({"path": str(own)}), out, partial=partial)
    files = tree(out)
    record = json.loads(files.pop("ingest.json"))["files"][0]
    assert files == {
        "flowers/rose/1.png": b"one",
        "flowers/rose/2.png": b"two",
        "flowers/tulip/3.png": b"three",
        "flowers/tulip/again.png": b"one",
    }
    assert not (out / "flowers/tulip/again.png").is_symlink()
    assert (record["name"], record["files"], record["bytes"]) == ("flowers", 4, 14)
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize("change", ["content", "name", "none"])
def test_the_digest_of_a_folder_follows_names_and_contents(
    tmp_path: Path, partial: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = []
    for number in (1, 2):
        own = flowers(tmp_path / str(number) / "flowers")
        if number == 2 and change == "content":
            (own / "rose/1.png").write_bytes(b"One")
        if number == 2 and change == "name":
            (own / "rose/1.png").rename(own / "rose/0.png")
        monkeypatch.chdir(own.parent)
        (own.parent / "raw").mkdir()
        ingest(settings({"path": "flowers"}), own.parent / "raw", partial=partial)
        digests.append(json.loads((own.parent / "raw/ingest.json").read_text())["files"][0]["sha256"])
    assert (digests[0] == digests[1]) == (change == "none")


@pytest.mark.parametrize(
    ("link", "target", "words"),
    [
        ("rose/out.png", "../../secret", "the link out.png leads out of flowers"),
        ("secrets", "../other", "the link secrets leads out of flowers"),
        ("again", "rose", "is a link to a folder"),
        ("loop", ".", "is a link to a folder"),
        ("rose/dead.png", "none.png", "is not a regular file"),
    ],
)
def test_links_that_lead_elsewhere(
    tmp_path: Path, out: Path, partial: Path, link: str, target: str, words: str
) -> None:
    own = flowers(tmp_path / "flowers")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "other").mkdir()
    (own / link).symlink_to(target)
    assert words in failure(settings({"path": str(own)}), out, partial)


def test_an_empty_folder(tmp_path: Path, out: Path, partial: Path) -> None:
    (tmp_path / "own").mkdir()
    message = failure(settings({"path": str(tmp_path / "own")}), out, partial)
    assert "the folder own holds no files" in message
    assert "next:  put your data there" in message


def test_a_folder_that_holds_its_own_copy(tmp_path: Path, out: Path, partial: Path) -> None:
    assert "holds the folder it would be copied to" in failure(settings({"path": str(tmp_path)}), out, partial)


def test_a_file_of_ones_own(tmp_path: Path, out: Path, partial: Path) -> None:
    (tmp_path / "images.npz").write_bytes(b"arrays")
    ingest(settings({"path": str(tmp_path / "images.npz")}), out, partial=partial)
    assert (out / "images.npz").read_bytes() == b"arrays"
    record = json.loads((out / "ingest.json").read_text())["files"][0]
    assert record["sha256"] == hashlib.sha256(b"arrays").hexdigest()


def test_an_archive_of_ones_own(tmp_path: Path, out: Path, partial: Path) -> None:
    zipped(tmp_path / "flowers.zip", {"rose/1.png": b"one"})
    ingest(settings({"path": str(tmp_path / "flowers.zip")}), out, partial=partial)
    assert (out / "flowers/rose/1.png").read_bytes() == b"one"
    assert (tmp_path / "flowers.zip").exists()


def test_a_full_disk_is_told_in_one_message(
    tmp_path: Path, out: Path, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(local_module, "copy_file", fill)
    message = failure(settings({"path": str(flowers(tmp_path / "flowers"))}), out, partial)
    assert "why:   No space left on device" in message and "flowers/rose/1.png" in message


def test_copies_do_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with pytest.raises(FileExistsError):
        copy_file(tmp_path / "a", tmp_path / "b")


def test_moving_to_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    (tmp_path / "a").write_bytes(b"a")
    monkeypatch.setattr(Path, "replace", refuse)
    move_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a" and not (tmp_path / "a").exists()


@pytest.mark.parametrize(("place", "warned"), [("data/own/flowers", False), ("elsewhere/flowers", True)])
def test_data_that_dvc_does_not_watch_is_said_so(tmp_path, monkeypatch, caplog, place, warned):
    monkeypatch.chdir(tmp_path)
    (tmp_path / place / "rose").mkdir(parents=True)
    (tmp_path / place / "rose" / "1.png").write_bytes(b"x")
    out = tmp_path / "out"
    out.mkdir()
    ingest(IngestSettings(name="own", source=Source(path=place)), out, partial=tmp_path / "partial")
    assert ("dvc repro --force ingest" in caplog.text) is warned
