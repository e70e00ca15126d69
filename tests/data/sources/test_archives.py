"""Hostile archives are refused with a reason and leave nothing; good ones are unpacked."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stagewise.config.schema.data import Limits
from stagewise.data.sources import archives as archives_module
from stagewise.data.sources.archives import archive_stem, extract
from stagewise.errors import ArchiveError

Members = list[tuple[str, bytes]]
GOOD: Members = [("flowers/rose/1.png", b"one"), ("flowers/tulip/2.png", b"two" * 1000)]


def write_zip(path: Path, members: Members) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o755 << 16
            file.writestr(info, content)


def write_tar(path: Path, members: Members) -> None:
    mode = {".gz": "w:gz", "tgz": "w:gz", "bz2": "w:bz2", ".xz": "w:xz", "txz": "w:xz"}.get(path.name[-3:], "w")
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4755
            file.addfile(info, io.BytesIO(content))


def write(path: Path, members: Members) -> Path:
    (write_zip if path.suffix == ".zip" else write_tar)(path, members)
    return path


def refused(archive: Path, limits: Limits | None = None) -> str:
    target = archive.parent / "target"
    before = sorted(archive.parent.parent.rglob("*"))
    with pytest.raises(ArchiveError) as caught:
        extract(archive, target, limits or Limits())
    assert sorted(archive.parent.parent.rglob("*")) == before
    assert archive.name in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


KINDS = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz"]


@pytest.mark.parametrize("suffix", KINDS)
def test_good_archives(folder: Path, suffix: str) -> None:
    clutter: Members = [("__MACOSX/flowers/._1.png", b"x"), ("flowers/.DS_Store", b"x"), ("./flowers/Thumbs.db", b"x")]
    archive = write(folder / f"a{suffix}", [("./flowers/./rose/0.png", b""), *GOOD, *clutter])
    done = extract(archive, folder / "out", Limits())
    files = {p.relative_to(folder / "out").as_posix(): p for p in (folder / "out").rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in files.items()} == {"flowers/rose/0.png": b"", **dict(GOOD)}
    assert (done.files, done.bytes) == (3, 3003)
    assert not any(path.stat().st_mode & (stat.S_ISUID | stat.S_IXUSR) for path in files.values())


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("../evil", b"x")], "leads out of the archive"),
        ([("a/../../evil", b"x")], "leads out of the archive"),
        ([("/etc/evil", b"x")], "absolute"),
        ([("C:/evil", b"x")], "absolute"),
        ([("a\\..\\evil", b"x")], "backslash"),
        ([("line\nbreak", b"x")], "control character"),
        ([("a" * 256, b"x")], "longer than 255"),
        ([("a/x", b"1"), ("a/x", b"2")], "occurs twice"),
        ([("a/x", b"1"), ("./a//x", b"2")], "occurs twice"),
        ([("Rose/1", b"1"), ("rose/2", b"2")], "only by case"),
        ([("caf\u00e9", b"1"), ("cafe\u0301", b"2")], "only by case or accents"),
        ([("a", b"1"), ("a/x", b"2")], "is a file, not a folder"),
        ([("a/x", b"1"), ("a", b"2")], "a folder and a file"),
        ([(".hidden", b"1")], "holds no files"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_hostile_names(folder: Path, suffix: str, members: Members, why: str) -> None:
    good: Members = [] if why == "holds no files" else [("good", b"x")]
    assert why in refused(write(folder / f"a{suffix}", good + members))


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device or pipe"),
        (tarfile.BLKTYPE, "a device or pipe"),
        (tarfile.FIFOTYPE, "a device or pipe"),
        (b"Z", "not a regular file"),
    ],
)
def test_hostile_tar_members(folder: Path, kind: bytes, why: str) -> None:
    with tarfile.open(folder / "a.tar", "w") as file:
        for name, member_kind in (("good", tarfile.REGTYPE), ("bad", kind)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = member_kind, "/etc/passwd" if member_kind != tarfile.REGTYPE else ""
            file.addfile(info)
    assert why in refused(folder / "a.tar")


@pytest.mark.parametrize(
    ("mode", "why"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFCHR, "device"), (stat.S_IFIFO, "device")]
)
def test_hostile_zip_members(folder: Path, mode: int, why: str) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as file:
        info = zipfile.ZipInfo("link")
        info.external_attr = (mode | 0o777) << 16
        file.writestr(info, "/etc/passwd")
    assert why in refused(folder / "a.zip")


def patched(path: Path, old: bytes, new: bytes) -> Path:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def test_an_encrypted_zip(folder: Path) -> None:
    archive = write(folder / "a.zip", [("x", b"x")])
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert "it is encrypted" in refused(archive)


def test_a_nul_in_a_zip_name(folder: Path) -> None:
    archive = patched(write(folder / "a.zip", [("goodQevil", b"x")]), b"goodQevil", b"good\0evil")
    assert "control character" in refused(archive)


@pytest.mark.parametrize("declared", [10, 5_000])
def test_a_zip_that_lies_about_a_size(folder: Path, declared: int) -> None:
    archive = patched(
        write(folder / "a.zip", [("x", b"x" * 3003)]), struct.pack("<I", 3003), struct.pack("<I", declared)
    )
    assert "Bad CRC" in (message := refused(archive)) or f"declares {declared:,} bytes" in message


def test_damaged_content(folder: Path) -> None:
    archive = folder / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x", b"content of the file")
    assert "Bad CRC" in refused(patched(archive, b"content of", b"contend of"))


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(bytes=2_000_000, ratio=1e6), "more than 2,000,000 bytes"),
        (Limits(ratio=20), "more than 20 times its size"),
        (Limits(files=2, ratio=1e6), "more than 2 members"),
    ],
)
def test_bombs(folder: Path, suffix: str, limits: Limits, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives_module, "RATIO_FROM", 100_000)
    archive = write(folder / f"a{suffix}", [(f"{i}", bytes(1_000_000)) for i in range(3)])
    assert why in refused(archive, limits)
    assert extract(archive, folder / "out", Limits(ratio=1e6)).bytes == 3_000_000


def test_left_out_members_count_too(folder: Path) -> None:
    archive = write(folder / "a.tar.gz", [("good", b"x"), (".hidden", bytes(3_000_000))])
    assert "more than 2,000,000 bytes" in refused(archive, Limits(bytes=2_000_000))


def test_a_small_archive_may_pack_well(folder: Path) -> None:
    archive = write(folder / "a.zip", [("blank.png", bytes(1_000_000))])
    assert extract(archive, folder / "out", Limits(ratio=2)).bytes == 1_000_000


def test_a_header_that_would_fill_the_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives_module, "_HEADERS", 100_000)
    with tarfile.open(folder / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("x")
        info.pax_headers = {"comment": "c" * 300_000}
        file.addfile(info)
    assert "has a header of more than 100,000 bytes" in refused(folder / "a.tar.gz")


def test_chained_headers(folder: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 0
    (folder / "a.tar").write_bytes(info.tobuf() * 5000)
    assert "chains its headers" in refused(folder / "a.tar")


def test_a_negative_size(folder: Path) -> None:
    write(folder / "a.tar", [("good", b"x")])
    info = tarfile.TarInfo("bad")
    header = bytearray(info.tobuf())
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    content = (folder / "a.tar").read_bytes()
    (folder / "a.tar").write_bytes(content[:1024] + bytes(header) + bytes(10240))
    assert "a.tar" in refused(folder / "a.tar")


OPEN: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
}


@pytest.mark.parametrize("suffix", OPEN)
@pytest.mark.parametrize("damage", ["garbage", "no end", "cut in a member", "cut in a header", "bad second header"])
def test_damaged_tars(folder: Path, suffix: str, damage: str) -> None:
    write(folder / "plain.tar", [("a", b"x" * 2000), ("b", b"y")])
    content = (folder / "plain.tar").read_bytes()
    damaged = {
        "garbage": b"no tar" * 500,
        "no end": content[:2560],
        "cut in a member": content[:1000],
        "cut in a header": content[:2660],
        "bad second header": content[:2560] + b"?" * 512 + content[3072:],
    }[damage]
    (folder / "plain.tar").unlink()
    (folder / f"a{suffix}").write_bytes(OPEN[suffix](damaged))
    assert "cannot be unpacked" in refused(folder / f"a{suffix}")


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("content", [b"", b"this is text, not an archive", b"\x1f\x8b\x08\0\0"])
def test_not_an_archive(folder: Path, suffix: str, content: bytes) -> None:
    (folder / f"a{suffix}").write_bytes(content)
    assert "cannot be unpacked" in refused(folder / f"a{suffix}")


def test_a_cut_gzip(folder: Path) -> None:
    archive = write(folder / "a.tar.gz", GOOD)
    archive.write_bytes(archive.read_bytes()[:-20])
    assert "cannot be unpacked" in refused(archive)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.zip", "a"), ("a.b.TAR.GZ", "a.b"), ("a.tgz", "a"), ("a.png", None), (".zip", None), ("a.gz", None)],
)
def test_archive_stem(name: str, stem: str | None) -> None:
    assert archive_stem(name) == stem
