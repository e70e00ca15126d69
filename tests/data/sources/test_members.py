"""Files that are published inside an archive, and taken out of it."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagewise.config.schema.data import File, IngestSettings
from stagewise.data.sources.download import Patience
from stagewise.data.sources.fetch import fetch
from stagewise.data.sources.ingest import ingest
from stagewise.errors import SourceError

WANTED = b"ham\thello\n" * 2000
MEMBERS = {"readme": b"read me", "Top/SMS Spam": WANTED}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


PACKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda members: gzip.compress(tarred(members), mtime=0),
    "tar.bz2": lambda members: bz2.compress(tarred(members)),
    "tar.xz": lambda members: lzma.compress(tarred(members)),
}


def wanted(*urls: str, **changed: Any) -> File:
    values = {"name": "SMS", "urls": urls, "bytes": len(WANTED), "sha256": hashlib.sha256(WANTED).hexdigest()}
    return File.model_validate(values | changed)


def bring(file: File, out: Path, partial: Path, patience: Patience) -> bytes:
    fetch(file, out / file.name, mirrors=[], partial=partial, patience=patience)
    assert [path.name for path in out.iterdir()] == [file.name]
    assert not partial.exists() or list(partial.iterdir()) == []
    return (out / file.name).read_bytes()


@pytest.mark.parametrize("kind", PACKERS)
def test_out_of_a_download_of_any_name(kind: str, server: Any, out: Path, partial: Path, patience: Patience) -> None:
    server.content = PACKERS[kind](MEMBERS)
    server.faults = ["truncate"]  # and resumed
    assert bring(wanted(f"{server.url('228')}#member=Top/SMS%20Spam"), out, partial, patience) == WANTED
    assert {path for path, _ in server.requests} == {"/228"} and len(server.requests) == 2


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_out_of_a_local_archive(tmp_path: Path, out: Path, partial: Path, patience: Patience, scheme: str) -> None:
    (tmp_path / "data.zip").write_bytes(zipped(MEMBERS))
    assert bring(wanted(f"{scheme}{tmp_path}/data.zip#member=Top/SMS Spam"), out, partial, patience) == WANTED
    assert (tmp_path / "data.zip").is_file()


def test_the_mirror_holds_the_member_itself(server: Any, tmp_path: Path, out: Path, partial: Path) -> None:
    (tmp_path / "sms").mkdir()
    (tmp_path / "sms" / "SMS").write_bytes(WANTED)
    url = server.url() + "#member=Top/SMS Spam"
    config = IngestSettings.model_validate(
        {"name": "sms", "source": {"files": [wanted(url).model_dump()]}, "mirror": str(tmp_path)}
    )
    ingest(config, out, partial=partial)
    assert (out / "SMS").read_bytes() == WANTED and server.requests == []
    assert json.loads((out / "ingest.json").read_text())["files"][0]["urls"] == [url]


def test_a_wrong_archive_does_not_stop_the_next_url(server: Any, out: Path, partial: Path, patience: Patience) -> None:
    server.content = zipped(MEMBERS)
    urls = [f"{server.url()}#member={name}" for name in ("readme", "none", "Top/SMS Spam")]
    assert bring(wanted(*urls), out, partial, patience) == WANTED


@pytest.mark.parametrize(
    ("content", "member", "words"),
    [
        (zipped(MEMBERS), "none", "the archive has no file none"),
        (zipped(MEMBERS), "Top", "the archive has no file Top"),
        (zipped(MEMBERS), "../228", "the archive has no file ../228"),
        (zipped(MEMBERS), "readme", "it has 7 bytes, 20,000 are declared"),
        (b"no archive", "readme", "it is no archive that can be unpacked"),
        (zipped(MEMBERS)[:-30], "readme", "it is no archive that can be unpacked: File is not a zip file"),
        (zipped({"../evil": b"x", **MEMBERS}), "readme", "its path leads out of the archive"),
        (zipped({"a": bytes(20_000_000)}), "a", "unpacks to more than 200 times its size"),
    ],
)
def test_reasons(
    content: bytes, member: str, words: str, server: Any, out: Path, partial: Path, patience: Patience
) -> None:
    server.content = content
    with pytest.raises(SourceError) as caught:
        bring(wanted(f"{server.url()}#member={member}"), out, partial, patience)
    assert words in str(caught.value)
    assert list(out.iterdir()) == [] and list(partial.iterdir()) == []


def test_a_local_archive_that_is_not_there(out: Path, partial: Path, patience: Patience) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        bring(wanted("nowhere.zip#member=a"), out, partial, patience)


def test_without_a_digest_it_is_told(server: Any, out: Path, partial: Path, patience: Patience) -> None:
    server.content = zipped(MEMBERS)
    file = wanted(f"{server.url()}#member=Top/SMS Spam", sha256=None)
    with pytest.raises(SourceError, match=hashlib.sha256(WANTED).hexdigest()):
        fetch(file, out / "SMS", mirrors=[], partial=partial, patience=patience)
