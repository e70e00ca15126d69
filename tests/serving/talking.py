"""Asking a service: within this process, or over the network."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stagewise.serving.app import Application, RouterMaker, create_app
from stagewise.serving.options import Options
from stagewise.serving.service import Service

PATIENCE = 60
"""Seconds after which a test gives up; nothing is expected to take nearly as long."""
JSON = {"content-type": "application/json"}
SERVE = (sys.executable, "-m", "stagewise.serving")


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def labels(self) -> list[str]:
        return [answer["label"] for answer in self.json()["answers"]]


@dataclass
class Client:
    """Asks an application in its own event loop."""

    app: Application
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.app.state.service

    async def post(self, path: str, content: Any, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        given = JSON if headers is None else headers
        return await self.ask("POST", path, body, {"content-length": str(len(body)), **given}, **more)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return await self.ask("GET", path, b"", headers or {})

    async def ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str], address: str = "10.0.0.1"
    ) -> Answer:
        sent: list[Any] = []
        parts = [body[begin : begin + 65536] for begin in range(0, max(len(body), 1), 65536)]

        async def receive() -> Any:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        path, _, query = path.partition("?")
        pairs = [(name.encode(), value.encode()) for name, value in {**self.headers, **headers}.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": pairs,
            "client": (address, 1), "server": ("127.0.0.1", 1), "scheme": "http", "state": {},
        }  # fmt: skip
        await self.app(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


def local(
    packages: list[Path],
    talk: Callable[[Client], Awaitable[Any]],
    options: Options | None = None,
    routers: tuple[RouterMaker, ...] = (),
) -> Any:
    """Run ``talk`` with a client of a service in this process."""

    async def main() -> Any:
        app = create_app(Service(packages, options or Options()), routers)
        async with asyncio.timeout(PATIENCE), app.router.lifespan_context(app):
            return await talk(Client(app))

    return asyncio.run(main())


@dataclass
class Live:
    """A service in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def send(self, content: bytes) -> Answer:
        """Send bytes over a connection of their own; the answer is read to the end of its body."""
        with self.connect() as connection:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused early: the answer may be there all the same
                connection.sendall(content)
            return read_answer(connection)

    def post(self, path: str, body: bytes, content_type: str = "application/json", *headers: str) -> Answer:
        return self.send(request("POST", path, body, content_type, *headers))

    def get(self, path: str) -> Answer:
        return self.send(request("GET", path))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> tuple[int, str]:
        """End it; its exit code and what it wrote to stderr."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


def request(method: str, path: str, body: bytes = b"", content_type: str = "", *headers: str) -> bytes:
    """A whole request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def read_answer(connection: socket.socket) -> Answer:
    """One answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError(f"closed after {data!r}")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += connection.recv(65536)
    return Answer(int(first.split()[1]), headers, body)


@contextmanager
def live(
    *arguments: object, environment: dict[str, str] | None = None, start: tuple[str, ...] = SERVE
) -> Iterator[Live]:
    """A service on a free port, ended in any case."""
    command = [*start, *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        line = process.stdout.readline()
        if "http://" not in line:
            raise ConnectionError(process.communicate(timeout=PATIENCE)[1])
        yield Live(process, int(line.rpartition(":")[2]))
    finally:
        process.kill()
        process.communicate()
