"""Files of strangers: read up to a size, never through a link they made, and parsed without JSON's loopholes."""

import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from stagewise.errors import SignatureError


def read_bounded(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Args:
        follow: whether ``path`` itself may be a symbolic link, which only a path that the user typed may.

    Raises:
        SignatureError: there is no such file, it is too large, a link, or no regular file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    if not follow and path.is_symlink():
        raise SignatureError(
            "the file is a symbolic link",
            where=str(path),
            why="a link may lead to anything",
            fix="put the file itself there",
        )
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SignatureError("this is no regular file", where=str(path), fix="name the file itself")
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SignatureError(
            "the file cannot be read", where=str(path), why=why, fix="name a file that is there"
        ) from error
    if len(content) > limit:
        raise SignatureError(
            f"the file has more than {limit:,} bytes",
            where=str(path),
            why="no file of its kind is so large",
            fix="take the file from whoever made it again",
        )
    return content


def parse_strictly(content: bytes, where: str) -> Any:
    """Return the value of a JSON text in UTF-8: every key once, no NaN, no nesting that exhausts the stack.

    Raises:
        SignatureError: it is not such a text.
    """
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise SignatureError(
            "this is no JSON that can be trusted", where=where, why=why, fix="take the file from whoever made it again"
        ) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a key is there twice: {next(name for name in names if names.count(name) > 1)!r}")
    return found


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")
