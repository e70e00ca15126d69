"""releases/CHANGELOG.md: what each release changed, in figures. Written from the records, so it is never edited."""

from stagewise.packaging.trust.releases import Release
from stagewise.packaging.trust.versions import compare
from stagewise.report.words import show, title

FILE = "CHANGELOG.md"
_NAMES = 12


def changelog(records: list[Release]) -> str:
    """The page on all releases of one name, given highest version first; equal records give equal text."""
    head = "<!-- Written by `stagewise release` from the records beside it. -->\n\n# Releases\n"
    pairs = zip(records, [*records[1:], None], strict=True)
    return "\n".join([head, *(_section(new, old) for new, old in pairs)])


def _section(new: Release, old: Release | None) -> str:
    lines = [f"## {new.name} {new.version}", "", f"Commit `{new.revision[:12]}`, candidate {new.candidate}."]
    if old:
        level, names = compare(old.content, new.content)
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        lines[-1] += f" Since {old.version}: {level.name.lower()}; changed: {', '.join(names[:_NAMES])}{more}."
    lines += ["", *_table(new, old), ""]
    return "\n".join(lines)


def _table(new: Release, old: Release | None) -> list[str]:
    rows = [(title(name), name, value) for name, value in new.metrics.items()]
    rows.append(("bytes of the model", "bytes", float(new.model_bytes)))
    before = {**old.metrics, "bytes": float(old.model_bytes)} if old else {}
    if not old:
        return [
            "| figure | value |",
            "|---|---|",
            *(f"| {words} | {_value(name, value)} |" for words, name, value in rows),
        ]
    lines = [f"| figure | {old.version} | {new.version} | change |", "|---|---|---|---|"]
    for words, name, value in rows:
        known = name in before
        change = _change(name, value - before[name]) if known else ""
        lines.append(f"| {words} | {_value(name, before[name]) if known else ''} | {_value(name, value)} | {change} |")
    return lines


def _value(name: str, value: float) -> str:
    return f"{value:,.0f}" if name == "bytes" else show(name, value)


def _change(name: str, difference: float) -> str:
    shown = _value(name, abs(difference))
    if not any(digit in "123456789" for digit in shown):
        return "0"
    unit = " points" if shown.endswith("%") else ""
    return ("+" if difference > 0 else "-") + shown.rstrip("%") + unit
