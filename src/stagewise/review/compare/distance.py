"""How far apart two files of one kind are, in words, and whether that is within a threshold."""

import math
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from stagewise.review.compare.content import read_table, read_tensors, read_values

_SMALL = 0.1
"""Figures below are held to the same absolute distance, so that an error near zero is no large share of itself."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_DIGEST = re.compile(r"\b[0-9a-f]{32,128}\b")
_EXAMPLES = 3
_MISSING = object()

Change = tuple[str, Any, Any]


def changed_values(recorded: Path, reproduced: Path) -> list[Change]:
    """The leaves of two JSON or YAML files that differ, by dotted key; digests follow from what they digest."""
    return [
        (key, before, after)
        for key, before, after in _leaves(read_values(recorded), read_values(reproduced), "")
        if not _same(before, after)
    ]


def values_are_close(changes: list[Change], share: float) -> bool:
    """Whether all changes are of numbers (also within texts) that moved by no more than ``share`` of themselves."""
    return all(_close(before, after, share) for _, before, after in changes)


def describe_values(changes: list[Change]) -> str:
    """The first changes in words."""
    shown = [f"{key}: {_word(before)} -> {_word(after)}" for key, before, after in changes[:_EXAMPLES]]
    rest = len(changes) - len(shown)
    return "; ".join(shown) + (f"; and {rest} more" if rest else "")


def table_distance(recorded: Path, reproduced: Path) -> tuple[float, str]:
    """The largest distance of a number from the recorded one, as a share of its column's largest, and words for it.

    Infinite where anything but a number differs: columns, rows, texts, types, what is null.
    """
    a, b = read_table(recorded), read_table(reproduced)
    if a.schema.names != b.schema.names or a.schema.types != b.schema.types:
        return (
            math.inf,
            f"columns differ: {', '.join(map(str, a.schema.names))} / {', '.join(map(str, b.schema.names))}",
        )
    if a.num_rows != b.num_rows:
        return math.inf, f"{a.num_rows:,} rows -> {b.num_rows:,} rows"
    distances = {name: _column_distance(a.column(name), b.column(name)) for name in a.schema.names}
    moved = {name: distance for name, distance in distances.items() if distance > 0}
    largest = max(moved, key=lambda name: moved[name], default="")
    worst = moved.get(largest, 0.0)
    size = "not only numbers" if math.isinf(worst) else f"largest share {worst:.2g}"
    return worst, f"{len(moved)} of {len(distances)} columns differ, {largest} most ({size})"


def describe_tensors(recorded: Path, reproduced: Path) -> str:
    """Which tensors differ, and by how much at most."""
    a, b = read_tensors(recorded), read_tensors(reproduced)
    if {n: t.shape for n, t in a.items()} != {n: t.shape for n, t in b.items()}:
        return "names or shapes of tensors differ"
    moved = {name: _largest(a[name], b[name]) for name in a if a[name].tobytes() != b[name].tobytes()}
    if not moved:
        return "types of tensors differ"
    worst = max(moved, key=lambda name: moved[name])
    return f"{len(moved)} of {len(a)} tensors differ, {worst} most (by {moved[worst]:.2g})"


def describe_text(recorded: Path, reproduced: Path) -> str:
    """The first line that differs."""
    lines = [path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (recorded, reproduced)]
    for number, (before, after) in enumerate(zip_longest(*lines, fillvalue=""), 1):
        if before != after:
            return f"line {number}: {_word(before)} -> {_word(after)}"
    return "line ends differ"


def _column_distance(a: Any, b: Any) -> float:
    import pyarrow as pa
    import pyarrow.compute as pc

    if a.equals(b):
        return 0.0
    kind = a.type
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        if a.null_count or b.null_count or not pc.list_value_length(a).equals(pc.list_value_length(b)):
            return math.inf
        a, b, kind = pc.list_flatten(a), pc.list_flatten(b), kind.value_type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)) or not pc.is_null(a).equals(pc.is_null(b)):
        return math.inf
    before, after = (np.asarray(column.drop_null().to_numpy(), np.float64) for column in (a, b))
    distance = _largest(before, after)
    scale = float(np.abs(before[np.isfinite(before)]).max(initial=0.0)) or 1.0
    return distance / scale


def _largest(a: Any, b: Any) -> float:
    """Largest absolute difference; infinite where one is not finite and the other differs."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gaps = np.where(same, 0.0, np.abs(a - b))
    return float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0))


def _leaves(a: Any, b: Any, key: str) -> Iterator[Change]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in dict.fromkeys([*a, *b]):
            yield from _leaves(a.get(name, _MISSING), b.get(name, _MISSING), f"{key}.{name}" if key else str(name))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for number, (before, after) in enumerate(zip(a, b, strict=True)):
            yield from _leaves(before, after, f"{key}[{number}]")
    else:
        yield key, a, b


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def _close(a: Any, b: Any, share: float) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        a, b = _DIGEST.sub("", a), _DIGEST.sub("", b)
        numbers = [[float(number) for number in _NUMBER.findall(text)] for text in (a, b)]
        words = [_NUMBER.sub("#", text) for text in (a, b)]
        return words[0] == words[1] and all(_close(x, y, share) for x, y in zip(*numbers, strict=True))
    if isinstance(a, bool) or isinstance(b, bool) or not all(isinstance(x, (int, float)) for x in (a, b)):
        return False
    return bool(abs(a - b) <= share * max(abs(a), abs(b), _SMALL)) or (a != a and b != b)


def _word(value: Any) -> str:
    text = "absent" if value is _MISSING else value if isinstance(value, str) else repr(value)
    text = _DIGEST.sub(lambda digest: digest[0][:8], text)
    return text if len(text) <= 60 else f"{text[:57]}..."
