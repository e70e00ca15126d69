"""What a stage really opens and connects to: seen by strace where it may run, else by Python's own audit hooks.

strace sees every process and library. The hooks see what Python code opens, not what a native library opens by itself.
"""

import ipaddress
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

HOOK = Path(__file__).parent / "hook"
_OPENED = re.compile(r"\bopen(?:at)?\(.*\bO_(RDONLY|RDWR|WRONLY)\b(.*)\) = \d+<(/[^>]*)>$")
_CONNECTED = re.compile(r'\bconnect\(.*(?:inet_addr\("|inet_pton\(AF_INET6, ")([0-9a-fA-F.:]+)"')
_OPTIONS = "-f -qq -y --seccomp-bpf -s 4096 -e signal=none"
_LOCAL = {"localhost", ""}


@dataclass(frozen=True)
class Observed:
    """Absolute paths that were opened for reading, and addresses outside this machine."""

    opened: frozenset[str]
    hosts: tuple[str, ...]


class Observer:
    """Has DVC start a stage's command through a shell of ours, so that the stage is seen and DVC is not.

    Args:
        folder: for the shell and what it notes; a folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._log, self._shell = folder / "seen", folder / "sh"
        self._shell.write_text(f"#!/bin/sh\n{self._start()}\n", encoding="utf-8")
        self._shell.chmod(0o700)

    def variables(self) -> dict[str, str]:
        """Environment variables for DVC, which starts stages with the shell that SHELL names."""
        return {"SHELL": str(self._shell)}

    def _start(self) -> str:
        log = shlex.quote(str(self._log))
        if means() == "python":
            path = f'{shlex.quote(str(HOOK))}"${{PYTHONPATH:+:$PYTHONPATH}}"'
            return f'exec env STAGEWISE_OBSERVE={log} PYTHONPATH={path} /bin/sh "$@"'
        return f'exec strace {_OPTIONS} -e trace=open,openat,connect -o {log} -- /bin/sh "$@"'

    def read(self) -> Observed:
        """What was seen."""
        lines = self._log.read_text(errors="surrogateescape").splitlines() if self._log.is_file() else []
        pairs = list(_parse_strace(lines) if means() == "strace" else _parse_hook(lines))
        return Observed(
            _read_before_written(pairs), tuple(sorted({v for k, v in pairs if k == "connect" and not _is_local(v)}))
        )


@cache
def means() -> Literal["strace", "python"]:
    """How stages are observed on this machine."""
    program = shutil.which("strace")
    if program is None:
        return "python"
    trial = [program, *_OPTIONS.split(), "-e", "trace=connect", "-o", "/dev/null", "--", "true"]
    return "strace" if subprocess.run(trial, capture_output=True, check=False).returncode == 0 else "python"


def _read_before_written(pairs: list[tuple[str, str]]) -> frozenset[str]:
    """What a process writes and then reads is its own."""
    written: set[str] = set()
    opened: set[str] = set()
    for kind, value in pairs:
        if kind == "write":
            written.add(value)
        elif kind == "open" and value not in written:
            opened.add(value)
    return frozenset(opened)


def _parse_strace(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in _joined(lines):
        if match := _OPENED.search(line):
            made = match[1] != "RDONLY" and ("O_TRUNC" in match[2] or "O_EXCL" in match[2] or match[1] == "WRONLY")
            yield "write" if made else "open", match[3]
        elif match := _CONNECTED.search(line):
            yield "connect", match[1]


def _joined(lines: list[str]) -> Iterator[str]:
    """Calls that another process interrupted, put together again."""
    begun: dict[str, str] = {}
    for line in lines:
        process = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[process] = line.removesuffix("<unfinished ...>")
        elif " resumed>" in line:
            yield begun.pop(process, "") + line.split(" resumed>", 1)[1]
        else:
            yield line


def _parse_hook(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        kind, _, value = line.partition("\t")
        yield kind, value


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host in _LOCAL
    return address.is_loopback or address.is_unspecified
