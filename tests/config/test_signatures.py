"""The arguments of a class, read from its source and from those of the classes it derives from."""

from pathlib import Path

import pytest

from stagewise.config.checks.signatures import read_signature

BASE = """
from typing import Any, Protocol

class Base:
    def __init__(self, first, *, size: int = 1, depth: int = 2) -> None: ...
"""

CASES = {
    "own": ("class C:\n    def __init__(self, a, *, b=1): ...", {"a", "b"}, False),
    "none": ("class C: ...", set(), False),
    "inherited": ("class C(Base): ...", {"first", "size", "depth"}, False),
    "handed on": (
        "class C(Base):\n    def __init__(self, *, a, **given):\n        super().__init__(**given)",
        {"a", "first", "size", "depth"},
        False,
    ),
    "some set here": (
        "class C(Base):\n    def __init__(self, *, a, **given):\n        super().__init__(a, size=3, **given)",
        {"a", "depth"},
        False,
    ),
    "kept": ("class C(Base):\n    def __init__(self, *, a, **given):\n        super().__init__(1)", {"a"}, True),
    "another mapping": (
        "class C(Base):\n    def __init__(self, *, a, **given):\n        super().__init__(**self.more)",
        {"a"},
        True,
    ),
    "unknown base": (
        "class C(Elsewhere):\n    def __init__(self, *, a, **given):\n        super().__init__(**given)",
        {"a"},
        True,
    ),
    "protocol": ("class C(Protocol): ...", set(), True),
    "two steps": (
        "class B(Base):\n    def __init__(self, *, a, **given):\n        super().__init__(**given)\n\n"
        "class C(B):\n    def __init__(self, *, b, **more):\n        super().__init__(a=1, **more)",
        {"b", "first", "size", "depth"},
        False,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_arguments(name: str, tmp_path: Path) -> None:
    text, arguments, open_ended = CASES[name]
    (tmp_path / "src" / "mine").mkdir(parents=True)
    (tmp_path / "src" / "mine" / "base.py").write_text(BASE)
    (tmp_path / "src" / "mine" / "c.py").write_text(
        f"from typing import Protocol\nfrom mine.base import Base\n\n{text}\n"
    )
    found = read_signature("mine.c.C", tmp_path)
    assert found is not None
    assert (set(found.arguments), found.open_ended) == (arguments, open_ended)
