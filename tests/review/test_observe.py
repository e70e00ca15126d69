"""What a command opens and connects to, seen both ways."""

import subprocess
import sys
from pathlib import Path

import pytest

from stagewise.review import observe
from stagewise.review.observe import Observer

PROGRAM = """
import os, socket, subprocess, sys
open("read.txt").read()
open("own.txt", "w").write("x"); open("own.txt").read()
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.7", 9))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
subprocess.run([sys.executable, "-c", "open('child.txt').read()"], check=True)
"""


@pytest.mark.parametrize("how", ["strace", "python"])
def test_a_command_is_seen(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "strace" and observe.means() != "strace":
        pytest.skip("strace may not run here")
    monkeypatch.setattr(observe, "means", lambda: how)
    for name in ("read.txt", "child.txt", "untouched.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "program.py").write_text(PROGRAM)
    observer = Observer(tmp_path / "seen")
    shell = observer.variables()["SHELL"]
    subprocess.run([shell, "-c", f"{sys.executable} program.py"], cwd=tmp_path, check=True)
    seen = observer.read()
    mine = {Path(name).name for name in seen.opened if Path(name).parent == tmp_path}
    assert mine == {"program.py", "read.txt", "child.txt"}
    assert seen.hosts == ("192.0.2.7",)


def test_calls_that_another_process_interrupts_are_put_together() -> None:
    lines = [
        '7 openat(AT_FDCWD</w>, "a", O_RDONLY|O_CLOEXEC <unfinished ...>',
        '8 connect(3<socket:[1]>, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 EINPROGRESS',
        "7 <... openat resumed>) = 3</w/a>",
        '7 openat(AT_FDCWD</w>, "b", O_RDONLY) = -1 ENOENT (No such file or directory)',
        '7 openat(AT_FDCWD</w>, "c", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</w/c>',
    ]
    assert list(observe._parse_strace(lines)) == [("connect", "2001:db8::1"), ("open", "/w/a"), ("write", "/w/c")]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("localhost", True),
        ("8.8.8.8", False),
        ("example.org", False),
        ("fe80::1%eth0", False),
    ],
)
def test_hosts_of_this_machine(host: str, local: bool) -> None:
    assert observe._is_local(host) is local
