"""What earlier processes parsed is used again, and never where the content is another."""

from pathlib import Path

import pytest

from stagewise.config.parsed import CACHE, ParsedFiles


def refuse() -> list[str]:
    raise AssertionError("the content was known")


def test_what_was_computed_is_known_to_the_next_process(tmp_path: Path) -> None:
    first = ParsedFiles(tmp_path, "1")
    assert first.get(b"x = 1", "demo", lambda: ["digest", "os"]) == ["digest", "os"]
    first.save()
    assert ParsedFiles(tmp_path, "1").get(b"x = 1", "demo", refuse) == ["digest", "os"]


@pytest.mark.parametrize(
    ("version", "content", "place"), [("2", b"x = 1", "demo"), ("1", b"x = 2", "demo"), ("1", b"x = 1", "other")]
)
def test_anything_else_is_computed_again(tmp_path: Path, version: str, content: bytes, place: str) -> None:
    first = ParsedFiles(tmp_path, "1")
    first.get(b"x = 1", "demo", lambda: ["old"])
    first.save()
    assert ParsedFiles(tmp_path, version).get(content, place, lambda: ["new"]) == ["new"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": []}', '{"a": [1]}', "\0"])
def test_a_damaged_file_counts_as_empty(tmp_path: Path, damage: str) -> None:
    (tmp_path / CACHE).parent.mkdir(parents=True)
    (tmp_path / CACHE).write_text(damage)
    files = ParsedFiles(tmp_path, "1")
    assert files.get(b"", "", lambda: ["new"]) == ["new"]
    files.save()
    assert ParsedFiles(tmp_path, "1").get(b"", "", refuse) == ["new"]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".stagewise").write_text("a file where the folder should be")
    files = ParsedFiles(tmp_path, "1")
    assert files.get(b"", "", lambda: ["new"]) == ["new"]
    files.save()


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    ParsedFiles(tmp_path, "1").save()
    assert not (tmp_path / CACHE).exists()
