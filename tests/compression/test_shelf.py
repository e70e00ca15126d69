import logging
import os

import pytest

from stagewise.compression import shelf as module
from stagewise.compression.shelf import Shelf, key_of


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "shelf", lambda _: "")


def test_what_was_kept_is_found_with_its_content(shelf):
    assert shelf.find("a") is None
    entry = shelf.keep("a", {"one": b"1", "two": b""})
    assert shelf.find("a") == entry
    assert (entry / "one").read_bytes() == b"1"
    assert shelf.find("b") is None


def test_an_entry_is_replaced_as_a_whole(shelf):
    shelf.keep("a", {"one": b"1", "two": b"2"})
    entry = shelf.keep("a", {"one": b"3"})
    assert shelf.find("a") == entry
    assert {path.name for path in entry.iterdir()} == {"one", "digests.json"}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda entry: (entry / "one").write_bytes(b"x"), id="changed"),
        pytest.param(lambda entry: (entry / "one").unlink(), id="removed"),
        pytest.param(lambda entry: (entry / "digests.json").unlink(), id="no digests"),
        pytest.param(lambda entry: (entry / "digests.json").write_text("{"), id="cut digests"),
        pytest.param(lambda entry: (entry / "digests.json").write_text("[]"), id="other digests"),
    ],
)
def test_a_damaged_entry_is_not_used(shelf, damage, caplog):
    entry = shelf.keep("a", {"one": b"1"})
    damage(entry)
    with caplog.at_level(logging.WARNING):
        assert shelf.find("a") is None
    assert caplog.messages == [f"a kept candidate is damaged and will be made again: {entry}"]
    assert not entry.exists()


def test_tidying_keeps_what_was_used_last_and_no_half_written_entry(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2)
    for age, key in enumerate(["new", "middle", "old"]):
        os.utime(shelf.keep(key, {"one": key.encode()}), (10**9 - age, 10**9 - age))
    (tmp_path / "shelf" / "new-abc").mkdir()
    shelf.find("old")
    shelf.tidy()
    assert {path.name for path in (tmp_path / "shelf").iterdir()} == {"old", "new"}


def test_an_empty_shelf_is_tidy(shelf):
    shelf.tidy()


def test_keys_differ_where_a_part_does():
    parts = [("a",), ("a", None), ({"b": 1}, "a"), ({"b": 2}, "a"), (["a"],)]
    assert len({key_of(*part) for part in parts}) == len(parts)
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
