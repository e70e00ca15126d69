"""What file names say of recordings: named groups of a pattern, and the splits published by them."""

import re
from collections.abc import Mapping, Sequence

from stagewise.data.readers.files import split_key
from stagewise.errors import ConfigError, DataError

_PRECEDENCE = ("test", "validation", "train")
_REPEAT = r"[*+]|\{[0-9]*,[0-9]*\}"


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression ``data.reader.pattern``.

    Matched against file names alone, which have at most 255 characters, it takes a bounded time: patterns whose time
    doubles with every character are refused.

    Raises:
        ConfigError: it is no regular expression, or repeats a group that holds a repeat itself.
    """
    where = "data.reader.pattern"
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError("the pattern is no regular expression", where=where, why=str(error)) from error
    if _repeats_repeats(pattern):
        raise ConfigError(
            "the pattern repeats a group that holds a repeat itself",
            where=where,
            why="such a pattern can take years to find that a name does not match",
            fix="repeat a set of letters instead: [a-z-]+ in place of ([a-z]+-?)+",
        )
    return compiled


def _repeats_repeats(pattern: str) -> bool:
    """Whether an unbounded repeat stands within a group that is itself repeated."""
    text = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern, flags=re.DOTALL)
    holds = [False]
    for token in re.finditer(rf"\(|\)(?P<after>{_REPEAT})?|{_REPEAT}", text):
        if token[0] == "(":
            holds.append(False)
        elif token[0][0] == ")":
            inner = holds.pop()
            if inner and token["after"]:
                return True
            holds[-1] |= inner or bool(token["after"])
        else:
            holds[-1] = True
    return False


class NameSplits:
    """Which published split a row belongs to, by the groups of its name.

    Args:
        split: values of groups by split: {test: {speaker: [theo]}}; where a split names several groups, all must fit.
        pattern: the compiled pattern, if there is one.

    Raises:
        ConfigError: a split names a group that the pattern has not, or none, or is named twice.
        DataError: a key is no split.
    """

    def __init__(self, split: Mapping[str, Mapping[str, Sequence[str | int]]], pattern: re.Pattern[str] | None) -> None:
        self.conditions: dict[str, dict[str, list[str]]] = {}
        for name, groups in split.items():
            key, where = split_key(name), f"data.reader.split.{name}"
            if key is None or key in self.conditions or not groups:
                what = f"split {name!r} names no group" if not groups else f"split {name!r} is no part, or named twice"
                raise ConfigError(what, where=where, fix="e.g. {test: {speaker: [theo]}}")
            for group in groups:
                if pattern is None or group not in pattern.groupindex:
                    raise _unknown_group(where, group, pattern)
            self.conditions[key] = {group: [str(value) for value in values] for group, values in groups.items()}

    def of(self, groups: Mapping[str, str]) -> str | None:
        """The split of a row with these groups: test before validation before train; None for a row of none."""
        for name in _PRECEDENCE:
            wanted = self.conditions.get(name)
            if wanted and all(groups.get(group) in values for group, values in wanted.items()):
                return name
        return None


class SeenValues:
    """Which of the values that the splits name have occurred."""

    def __init__(self, splits: NameSplits) -> None:
        self._wanted = splits.conditions
        self._values: dict[str, set[str]] = {group: set() for part in self._wanted.values() for group in part}

    def note(self, groups: Mapping[str, str]) -> None:
        """Note the groups of one row."""
        for group, values in self._values.items():
            if group in groups:
                values.add(groups[group])

    def check(self) -> None:
        """Refuse values that never occurred: a typing error would quietly leave a split smaller, or empty.

        Raises:
            DataError: no row has one of them.
        """
        for split, part in self._wanted.items():
            for group, values in part.items():
                if missing := [value for value in values if value not in self._values[group]]:
                    raise DataError(
                        f"no recording has the {group} {missing[0]!r}",
                        where=f"data.reader.split.{split}.{group}",
                        details=[f"there is {value!r}" for value in sorted(self._values[group])[:10]],
                        fix="correct the value: it must stand there as in the file names",
                    )


def _unknown_group(where: str, group: str, pattern: re.Pattern[str] | None) -> ConfigError:
    known = sorted(pattern.groupindex) if pattern else []
    return ConfigError(
        f"data.reader.pattern has no group {group!r}",
        where=f"{where}.{group}",
        details=[f"it has {name!r}" for name in known],
        fix=f"name that part of the file name in the pattern: (?P<{group}>[a-z]+)",
    )
