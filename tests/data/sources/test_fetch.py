"""Downloads from a server that breaks off, stalls, lies and recovers; mirrors; package resources."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

from stagewise.config.schema.data import File
from stagewise.data.sources import files as files_module
from stagewise.data.sources.download import Patience
from stagewise.data.sources.fetch import fetch, package_resource
from stagewise.data.sources.remote import DownloadError
from stagewise.errors import SourceError


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def first_byte(header: str) -> int:
    return int(header.removeprefix("bytes=").rstrip("-"))


@pytest.fixture
def run(out: Path, partial: Path, patience: Patience) -> Any:
    def run(file: File, mirrors: list[Path] | None = None) -> Path:
        assert fetch(file, out / file.name, mirrors=mirrors or [], partial=partial, patience=patience) == file.sha256
        assert not partial.exists() or list(partial.iterdir()) == []
        return out / file.name

    return run


def fail(file: File, out: Path, partial: Path, patience: Patience, mirrors: list[Path] | None = None) -> str:
    with pytest.raises(SourceError) as caught:
        fetch(file, out / file.name, mirrors=mirrors or [], partial=partial, patience=patience)
    assert list(out.iterdir()) == []
    return str(caught.value)


def test_plain_download(server: Any, file: File, run: Any) -> None:
    assert run(file).read_bytes() == server.content
    assert server.asked == [None]
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_a_broken_connection_is_resumed_where_it_broke(server: Any, file: File, run: Any, fault: str) -> None:
    server.faults = [fault]
    assert run(file).read_bytes() == server.content
    assert server.asked[0] is None
    assert 0 < first_byte(server.asked[1]) <= len(server.content) // 2
    assert server.requests[1][1]["If-Range"] == '"v1"'


def test_a_server_without_ranges_sends_all_again(server: Any, file: File, run: Any) -> None:
    server.faults, server.ranges = ["truncate"], False
    assert run(file).read_bytes() == server.content
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_transient_answers_are_retried(server: Any, file: File, run: Any, status: int) -> None:
    server.faults = [status, status]
    assert run(file).read_bytes() == server.content
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        (503, "HTTP 503 Service Unavailable (tried 4 times)", 4),
        (500, "HTTP 500 Internal Server Error (tried 4 times)", 4),
        ("stall", "no bytes came for 0.3 s (tried 4 times)", 4),
        ("redirect /data.bin", "it redirects without end", 10),
        ("redirect file:///etc/hostname", "it redirects to file:///etc/hostname, which is not on the web", 1),
        ("redirect ftp://127.0.0.1/x", "it redirects to ftp://127.0.0.1/x, which is not on the web", 1),
    ],
)
def test_faults_that_never_end_are_told(
    server: Any,
    file: File,
    out: Path,
    partial: Path,
    patience: Patience,
    fault: str | int,
    reason: str,
    requests: int,
) -> None:
    server.faults = [fault] * 20
    message = fail(file, out, partial, patience)
    assert f"{file.urls[0]}: {reason}" in message and "run the same command again" in message
    assert len(server.requests) == requests


def test_bytes_that_end_early_without_a_declared_length(server: Any, file: File, run: Any) -> None:
    server.faults = ["unlabelled"]
    assert run(file).read_bytes() == server.content
    assert server.asked == [None, f"bytes={len(server.content) // 2}-"]


def test_redirects_are_followed(server: Any, file: File, run: Any) -> None:
    server.faults = ["redirect"]
    run(file)
    assert [path for path, _ in server.requests] == ["/data.bin", "/elsewhere.bin"]


def test_attempts_are_bounded_and_what_came_is_kept(
    server: Any, file: File, out: Path, partial: Path, patience: Patience, run: Any
) -> None:
    server.faults = ["truncate"] * 4
    message = fail(file, out, partial, patience)
    assert "(tried 4 times)" in message and file.urls[0] in message and "STAGEWISE_MIRROR=DIR" in message
    assert len(server.requests) == 4
    kept = (partial / (file.sha256 or "")).stat().st_size
    assert kept >= first_byte(server.asked[-1]) > first_byte(server.asked[1])
    run(file)
    assert server.asked[-1] == f"bytes={kept}-"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusals_are_not_retried(
    server: Any, file: File, out: Path, partial: Path, patience: Patience, status: int
) -> None:
    server.faults = [status] * 9
    assert f"HTTP {status}" in fail(file, out, partial, patience)
    assert len(server.requests) == 1


def test_the_next_url_is_tried_and_goes_on_with_the_same_bytes(server: Any, file: File, run: Any) -> None:
    server.faults = ["truncate", 404]
    second = server.url("copy.bin")
    run(file.model_copy(update={"urls": [*file.urls, second]}))
    assert server.requests[-1][0] == "/copy.bin"
    assert 0 < first_byte(server.asked[-1]) <= len(server.content) // 2
    assert "If-Range" not in server.requests[-1][1]  # the tag was another URL's


def test_every_url_is_named_with_its_reason(
    server: Any, file: File, out: Path, partial: Path, patience: Patience
) -> None:
    server.faults = [404, 403]
    urls = [server.url("a"), server.url("b"), "gopher://x/y", "nowhere.zip#member=x"]
    message = fail(file.model_copy(update={"urls": urls}), out, partial, patience)
    for line in (f"{urls[0]}: HTTP 404", f"{urls[1]}: HTTP 403", "'gopher' is not supported", "no such file"):
        assert line in message


def test_a_wrong_digest_names_both_and_leaves_nothing(
    server: Any, file: File, out: Path, partial: Path, patience: Patience
) -> None:
    wrong = bytes(len(server.content))
    server.content = wrong
    message = fail(file, out, partial, patience)
    assert digest(wrong) in message and str(file.sha256) in message
    assert list(partial.iterdir()) == []
    assert len(server.requests) == 1


def test_another_size_is_refused_before_it_is_downloaded(
    server: Any, file: File, out: Path, partial: Path, patience: Patience
) -> None:
    server.content += b"more"
    assert "512,004 bytes, 512,000 are declared" in fail(file, out, partial, patience)
    assert list(partial.iterdir()) == []


def test_endless_bytes_are_cut_off(server: Any, file: File, out: Path, partial: Path, patience: Patience) -> None:
    server.faults = ["endless"]
    assert "more than the 512,000 bytes that are declared" in fail(file, out, partial, patience)
    assert list(partial.iterdir()) == []


def test_stale_partial_bytes_do_not_spoil_the_file(server: Any, file: File, run: Any, partial: Path) -> None:
    partial.mkdir()
    (partial / str(file.sha256)).write_bytes(b"old version " * 10)
    assert run(file).read_bytes() == server.content
    assert server.asked == ["bytes=120-", None]  # resumed, found wrong, begun again


def test_a_partial_file_that_is_too_long_is_begun_again(server: Any, file: File, run: Any, partial: Path) -> None:
    partial.mkdir()
    (partial / str(file.sha256)).write_bytes(bytes(600_000))
    run(file)
    unsized = file.model_copy(update={"bytes": None, "name": "again.bin"})
    (partial / str(file.sha256)).write_bytes(bytes(600_000))
    run(unsized)  # the server answers 416
    assert server.asked == [None, "bytes=600000-", None]


def test_a_changed_etag_brings_the_new_file_from_the_start(
    server: Any, file: File, out: Path, partial: Path, patience: Patience, run: Any
) -> None:
    server.faults = ["truncate", 404]
    fail(file, out, partial, patience)
    server.etag, server.content = '"v2"', b"new" * 1000
    changed = file.model_copy(update={"bytes": 3000})
    (partial / str(file.sha256)).rename(partial / digest(server.content))
    (partial / f"{file.sha256}.json").rename(partial / f"{digest(server.content)}.json")
    with (partial / digest(server.content)).open("ab") as old:
        old.truncate(1000)
    run(changed.model_copy(update={"sha256": digest(server.content)}))
    assert server.asked[-1] == "bytes=1000-" and len(server.requests) == 3


def test_without_a_digest_the_error_tells_it_and_the_file_is_kept(
    server: Any, file: File, out: Path, partial: Path, patience: Patience, run: Any
) -> None:
    message = fail(file.model_copy(update={"sha256": None}), out, partial, patience)
    assert f"sha256: {digest(server.content)}" in message and "bytes: 512000" in message
    run(file)
    assert len(server.requests) == 1


def test_no_room_is_told_before_the_download(
    file: File, out: Path, partial: Path, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = files_module.shutil.disk_usage(out)
    monkeypatch.setattr(files_module.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert "needs 512,000 bytes, but the disk has only 1,000 free" in fail(file, out, partial, patience)


def test_an_unreachable_server(file: File, out: Path, partial: Path) -> None:
    dead = file.model_copy(update={"urls": ["http://127.0.0.1:9/x"]})
    assert "(tried 2 times)" in fail(dead, out, partial, Patience(retries=1, delay=0.01, stall=1))


def test_object_stores_go_through_fsspec(file: File, server: Any, run: Any, partial: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/bucket/data.bin", server.content)
    partial.mkdir()
    (partial / str(file.sha256)).write_bytes(server.content[:1000])
    assert run(file.model_copy(update={"urls": ["memory://bucket/data.bin"]})).read_bytes() == server.content


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://bucket/none.bin", "FileNotFoundError"),
        ("simplecache::memory://bucket/x", "is not supported"),
        ("package://sklearn/../secret", "write package://module/path"),
        ("package://no_such_package_here/x", "no_such_package_here is not installed"),
        ("package://sklearn/none.csv", "has no file none.csv"),
        ("nowhere/data.bin", "there is no such file"),
        ("http://[half/data.bin", "ValueError"),
        ("http:///data.bin", "data.bin"),
    ],
)
def test_reasons(url: str, words: str, file: File, out: Path, partial: Path, patience: Patience) -> None:
    assert words in fail(file.model_copy(update={"urls": [url]}), out, partial, patience)


def test_a_missing_driver_names_the_extra(
    file: File, out: Path, partial: Path, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    message = fail(file.model_copy(update={"urls": ["s3://bucket/x"]}), out, partial, patience)
    assert 'pip install "fsspec[s3]"' in message


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_local_paths(tmp_path: Path, file: File, server: Any, run: Any, scheme: str) -> None:
    (tmp_path / "a b.bin").write_bytes(server.content)
    name = str(tmp_path / "a b.bin").replace(" ", "%20" if scheme else " ")
    assert run(file.model_copy(update={"urls": [scheme + name]})).read_bytes() == server.content


def test_mirrors_come_first_in_order(tmp_path: Path, file: File, server: Any, run: Any) -> None:
    (tmp_path / "second.bin").write_bytes(server.content)
    run(file, [tmp_path / "first.bin", tmp_path / "second.bin"])
    assert server.requests == []


def test_a_wrong_file_in_the_mirror_is_an_error(
    tmp_path: Path, file: File, out: Path, partial: Path, patience: Patience, server: Any
) -> None:
    wrong = bytes(len(server.content))
    (tmp_path / "m.bin").write_bytes(wrong)
    message = fail(file, out, partial, patience, [tmp_path / "m.bin"])
    assert all(part in message for part in (digest(wrong), str(file.sha256), str(tmp_path / "m.bin")))
    assert server.requests == []


def test_a_package_resource_is_found_without_importing_the_package() -> None:
    code = (
        "import sys\n"
        "import stagewise.data.sources.ingest\n"
        "from stagewise.data.sources.fetch import package_resource\n"
        "print(package_resource('package://sklearn/datasets/data/digits.csv.gz').stat().st_size)\n"
        "sys.exit(any(name in sys.modules for name in ('sklearn', 'torch', 'numpy', 'fsspec', 'rich')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "57523\n"), done.stderr


def test_a_resource_needs_a_plain_module_name() -> None:
    with pytest.raises(DownloadError, match="write package://module/path"):
        package_resource("package://a.b/c")
