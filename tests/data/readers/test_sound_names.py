"""Patterns of file names, and the splits published by them."""

import re
from typing import Any

import pytest

from stagewise.data.readers.names import NameSplits, compile_pattern
from stagewise.errors import ConfigError, DataError

GROUPS = compile_pattern("(?P<label>[0-9])_(?P<speaker>[a-z]+)_(?P<take>[0-9]+)[.]wav")


@pytest.mark.parametrize(
    "pattern",
    [
        "(?P<label>[0-9])_(?P<speaker>[a-z]+)_(?P<take>[0-9]+)[.]wav",
        "(?P<label>[a-z]+)(?:_(?P<take>[0-9]+))?[.](wav|flac)",
        "(?:ab){3}c+",
        "(?:x[+*]y)+",
        r"(?:a\+)+[)(*]*",
        "[]+*()]+(a)+",
        "(?:[^]+]b)+",
        "(a(b)c)+d*",
        "(?i:a.*)b",
        "a{2,}(b{3})*",
    ],
)
def test_harmless_patterns_are_taken(pattern: str) -> None:
    assert compile_pattern(pattern).pattern == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(?:a*)*b",
        "((a+)b?)*c",
        "(?P<label>[a-z]+)+x",
        "(a{2,})+",
        "(?:[a-z]+-?)+x",
        "((a)+)+",
        "(a+){2,}",
        "(x(a|b+))*",
    ],
)
def test_patterns_that_may_take_forever_are_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="repeats a group that holds a repeat itself") as caught:
        compile_pattern(pattern)
    assert caught.value.where == "data.reader.pattern" and caught.value.fix


@pytest.mark.parametrize("pattern", ["(", "[a", "(?P<a>x)(?P<a>y)", "*", "a{2,1}", "(?P<1>x)"])
def test_what_is_no_regular_expression(pattern: str) -> None:
    with pytest.raises(ConfigError, match="no regular expression") as caught:
        compile_pattern(pattern)
    assert caught.value.why


def test_all_groups_of_a_split_must_fit_and_test_comes_first() -> None:
    splits = NameSplits(
        {"train": {"take": [2]}, "validation": {"speaker": ["bob"]}, "test": {"speaker": ["bob"], "take": ["1", 2]}},
        GROUPS,
    )
    found = [
        splits.of({"label": "0", "speaker": speaker, "take": take})
        for speaker, take in [("bob", "1"), ("bob", "2"), ("bob", "3"), ("ann", "1"), ("ann", "2")]
    ]
    assert found == ["test", "test", "validation", None, "train"]
    assert splits.of({}) is None


@pytest.mark.parametrize(
    ("split", "error", "words"),
    [
        (
            {"test": {"speakers": ["bob"]}},
            ConfigError,
            "has no group 'speakers'\n  where: data.reader.split.test.speakers",
        ),
        ({"test": {}}, ConfigError, "split 'test' names no group"),
        ({"val": {"take": ["1"]}, "dev": {"take": ["2"]}}, ConfigError, "named twice"),
        ({"all": {"take": ["1"]}}, ConfigError, "split 'all' is no part"),
        ({"holdout": {"take": ["1"]}}, DataError, "'holdout' is no split"),
    ],
    ids=["group", "empty", "twice", "all", "unknown"],
)
def test_mistakes_in_splits(split: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        NameSplits(split, GROUPS)


def test_a_split_needs_a_pattern() -> None:
    with pytest.raises(ConfigError, match="no group 'take'"):
        NameSplits({"test": {"take": ["1"]}}, None)
