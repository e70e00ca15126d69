"""Notes every file that a Python process opens and every address it connects to; first on the PYTHONPATH of a review.

Lines of the file STAGEWISE_OBSERVE: ``open`` or ``write``, a tab and an absolute path; ``connect``, a tab and an
address.
"""

import os
import sys


def _observe(path: str) -> None:
    target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    seen: set[str] = set()

    def note(line: str) -> None:
        if line not in seen and "\n" not in line:
            seen.add(line)
            os.write(target, (line + "\n").encode(errors="surrogateescape"))

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            flags = arguments[2]
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_TRUNC)
            place = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 (no links resolved)
            note(("write\t" if writes else "open\t") + place)
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            note(f"connect\t{arguments[1][0]}")
        elif event == "socket.getaddrinfo" and arguments[0]:
            host = arguments[0]
            note(f"connect\t{host.decode() if isinstance(host, bytes) else host}")

    sys.addaudithook(hook)


if os.environ.get("STAGEWISE_OBSERVE"):
    _observe(os.environ["STAGEWISE_OBSERVE"])
