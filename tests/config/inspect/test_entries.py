"""What moved between two ``build/<stage>.yaml``, in words."""

from typing import Any

import pytest

from stagewise.config.inspect.entries import compare_entries, parse_entry


def entry(config: dict[str, Any] | None = None, code: dict | None = None, libraries: dict | None = None) -> dict:
    return {"config": config or {}, "code": code or {}, "libraries": libraries or {}}


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"lr": 0.001}, {"lr": 0.01}, ["lr 0.001 -> 0.01"]),
        ({"optimizer": {"lr": 1}}, {"optimizer": {"lr": 2}}, ["optimizer.lr 1 -> 2"]),
        ({}, {"a": True}, ["a added: true"]),
        ({"a": None}, {}, ["a removed, was null"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a [1, 2] -> [1, 3]"]),
        ({"a": [{"p": 1}, {"p": 2}]}, {"a": [{"p": 1}, {"p": 3}]}, ["a.1.p 2 -> 3"]),
        ({"a": {"b": 1}}, {"a": {}}, ["a added: {}", "a.b removed, was 1"]),
        ({"a": 1}, {"a": 1.0}, ["a 1 -> 1.0"]),
        ({"a": 1}, {"a": True}, ["a 1 -> true"]),
        ({"a": ""}, {"a": "x"}, ['a "" -> x']),
        ({"a": "x" * 60}, {"a": 1}, [f"a {'x' * 45}... -> 1"]),
        ({"b": 1, "a": 1}, {"a": 1, "b": 1}, []),
    ],
)
def test_values(old: dict, new: dict, lines: list[str]) -> None:
    assert compare_entries(entry(old), entry(new)).values == lines


def test_modules_and_libraries() -> None:
    old = entry(code={"a.py": "1", "b.py": "1", "c.py": "1"}, libraries={"torch": "2.12", "numpy": "1"})
    new = entry(code={"a.py": "2", "c.py": "1", "d.py": "1"}, libraries={"torch": "2.13", "numpy": "1"})
    changes = compare_entries(old, new)
    assert changes.code == ["a.py changed", "b.py removed", "d.py added"]
    assert changes.libraries == ["torch 2.12 -> 2.13"]
    assert changes
    assert not compare_entries(old, old)


def test_files_that_a_config_names_are_told_like_modules() -> None:
    old, new = entry() | {"files": {"w/a.safetensors": "1"}}, entry() | {"files": {"w/a.safetensors": "2", "w/b": "1"}}
    assert compare_entries(old, new).code == ["w/a.safetensors changed", "w/b added"]
    assert compare_entries(entry(), new).code == ["w/a.safetensors added", "w/b added"]


def test_what_is_no_mapping_is_an_empty_entry() -> None:
    assert parse_entry("- 1\n") == {}
    assert parse_entry("config: {a: 1}\n") == {"config": {"a": 1}}
