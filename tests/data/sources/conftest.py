"""A web server on 127.0.0.1 that misbehaves on demand."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stagewise.config.schema.data import File
from stagewise.data.sources.download import Patience

CONTENT = bytes(range(256)) * 2000


@dataclass
class Server:
    """What is served, how, and what was asked for."""

    port: int = 0
    content: bytes = CONTENT
    etag: str = '"v1"'
    ranges: bool = True
    """Whether Range is honoured."""
    faults: list[str | int] = field(default_factory=list)
    """One per request, in order: a status, ``truncate``, ``stall``, ``endless``, ``unlabelled`` (half of the bytes, and
    no word of how many there are), or ``redirect`` to a path or URL; afterwards all is well."""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str = "data.bin") -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    @property
    def asked(self) -> list[str | None]:
        """The Range header of each request."""
        return [headers.get("Range") for _, headers in self.requests]


class Handler(BaseHTTPRequestHandler):
    state: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        state = self.state
        state.requests.append((self.path, dict(self.headers)))
        fault = state.faults.pop(0) if state.faults else None
        if isinstance(fault, int):
            self.send_response(fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif fault is not None and fault.startswith("redirect"):
            self.send_response(302)
            self.send_header("Location", fault.partition(" ")[2] or state.url("elsewhere.bin"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_content(state, fault)

    def send_content(self, state: Server, fault: str | None) -> None:
        start, size = 0, len(state.content)
        wanted = self.headers.get("Range")
        fresh = self.headers.get("If-Range") in (None, state.etag)
        if wanted and state.ranges and fresh:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        if state.etag:
            self.send_header("ETag", state.etag)
        if fault == "unlabelled":
            self.end_headers()
            self.wfile.write(state.content[start : (start + size) // 2])
            self.close_connection = True
            return
        if fault == "endless":
            self.end_headers()
            for _ in range(100):
                self.wfile.write(state.content)
            return
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        body = state.content[start:]
        if fault in {"truncate", "stall"}:
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.wfile.flush()
        if fault in {"truncate", "stall"}:  # a client that loses the connection loses what it has not read yet
            state.stop.wait(0.2 if fault == "truncate" else 20)
        if fault in {"truncate", "stall"}:
            self.close_connection = True

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client has gone
            self.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    http.daemon_threads = True
    state.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    state.stop.set()
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def patience() -> Patience:
    return Patience(retries=3, delay=0.01, stall=0.3)


@pytest.fixture
def file(server: Server) -> File:
    """The declared file that the server has."""
    return declare(CONTENT, [server.url()])


def declare(content: bytes, urls: list[str], name: str = "data.bin", **more: object) -> File:
    values = {"name": name, "urls": urls, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return File.model_validate(values | more)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    return tmp_path / "partial"
