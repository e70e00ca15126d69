"""The types of all columns as YAML, for a person to confirm."""

import json
import re
from collections.abc import Mapping

from stagewise.data.tables.facts import listed, share
from stagewise.data.tables.types import Column

_PLAIN = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def confirmation(columns: Mapping[str, Column], given: Mapping[str, str], dropped: Mapping[str, str]) -> str:
    """A ``columns:`` block with every column, its type, and what it holds.

    Args:
        given: the types that the config names.
        dropped: columns that do not enter, and why.
    """
    types = {name: "drop" if name in dropped else column.type for name, column in columns.items()}
    types |= {name: kind for name, kind in given.items() if kind == "drop"}
    lines = [(f"  {_key(name)}: {kind}", _remark(name, columns.get(name), dropped)) for name, kind in types.items()]
    width = max(len(line) for line, _ in lines)
    return "columns:\n" + "".join(f"{line:{width}}  # {remark}\n" for line, remark in lines)


def _remark(name: str, column: Column | None, dropped: Mapping[str, str]) -> str:
    if column is None:
        return "as the config says"
    if name in dropped:
        return dropped[name].replace("\n", " ")
    facts = column.facts
    if column.type == "number":
        held = f"{facts.numbers.minimum:g} to {facts.numbers.maximum:g}"
    elif column.type == "date":
        days = sorted(facts.texts)
        held = f"{days[0]} to {days[-1]}"
    else:
        common = sorted(facts.texts, key=lambda text: (-facts.texts[text], text))
        held = f"{len(common):,} categories: {listed([_short(text) for text in common], 4)}"
    missing = f"; {share(facts.missing, facts.rows)} missing" if facts.missing else ""
    return f"{column.decided}: {held}{missing}"


def _key(name: str) -> str:
    plain = _PLAIN.fullmatch(name) and name.lower() not in _WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 30 else f"{line[:27]}..."
