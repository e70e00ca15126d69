"""Text that may come from anyone, made harmless to print, and short words for lengths of time."""

import re

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """Text on one line in which whatever is unseen, or steers a terminal or the reading direction, is spelt out."""
    return _UNSEEN.sub(lambda match: _spelt(ord(match[0])), text)


def clean_lines(text: str) -> list[str]:
    """The same line by line, for logs."""
    return [clean(line.expandtabs(4)) for line in text.split("\n")]


def clip(text: str, length: int) -> str:
    """At most ``length`` characters; a cut is shown by an ellipsis in the middle, as both ends of a path tell."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def duration(seconds: float) -> str:
    """A span of time as people read it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _spelt(code: int) -> str:
    return {9: " ", 10: "⏎", 13: "⏎"}.get(code, f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
