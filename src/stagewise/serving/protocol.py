"""HTTP/1.1 by httptools, with the limits that uvicorn has not: of headers, of time, and of connections.

What is wrong before there is a request is answered here, as application/problem+json too.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from stagewise.serving.options import Limits
from stagewise.serving.problems import MEDIA_TYPE, Problem

_SIGNS = 4  # ": " and the end of the line


def bounded(limits: Limits) -> type[HttpToolsProtocol]:
    """The protocol of a service with these limits, as uvicorn takes it (``http=``)."""
    return type("Protocol", (BoundedProtocol,), {"limits": limits})


class _RefusalError(Exception):
    """Raised within the parser, which ends it."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    A timer runs whenever something is owed by the client: the headers, then the rest of the request. A request that
    comes in one piece never starts it.
    """

    limits = Limits()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = self._in_body = self._over = False
        self._head = self._seen = 0
        self._refusal: Problem | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse what is too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._end(Problem("overload", f"{self.limits.connections} connections are open already", retry=1))
        else:
            self._start_timer(self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        self._over = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and watch what is still owed."""
        if self._over:
            return
        super().data_received(data)
        if self._in_head:
            self._seen += len(data)
            if self._seen > self.limits.header_bytes + len(data):
                self._end(self._too_large())
                return
        if self._in_head or self._in_body or self.cycle is None or self.cycle.response_complete:
            if self._timer is None and not self._over:
                self._start_timer(self.limits.header_seconds if not self._in_body else self.limits.request_seconds)
        else:
            self._stop_timer()

    def on_message_begin(self) -> None:
        """Count the headers of a new request."""
        super().on_message_begin()
        self._in_head, self._head, self._seen = True, 0, 0

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + _SIGNS)
        if len(self.headers) > self.limits.headers:
            self._refusal = Problem("headers", f"there are more than {self.limits.headers} headers")
            raise _RefusalError

    def on_headers_complete(self) -> None:
        """From here on the body is owed."""
        self._in_head, self._in_body = False, True
        self._stop_timer()
        super().on_headers_complete()
        self.scope["stagewise.requests"] = self.tasks  # type: ignore[typeddict-unknown-key]  # the task begins later

    def on_message_complete(self) -> None:
        """Nothing is owed."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer what is no HTTP; uvicorn calls this."""
        self._end(self._refusal or Problem("malformed", "this is no HTTP/1.1 request"))

    def _count(self, count: int) -> None:
        self._head += count
        if self._head > self.limits.header_bytes:
            self._refusal = self._too_large()
            raise _RefusalError

    def _too_large(self) -> Problem:
        return Problem("headers", f"the headers have more than {self.limits.header_bytes:,} bytes")

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if not (self._in_head or self._in_body):  # nothing was begun: there is nothing to answer
            self._end(None)
            return
        seconds = self.limits.header_seconds if self._in_head else self.limits.request_seconds
        self._end(Problem("timeout", f"it was not there after {seconds:g} s"))

    def _end(self, problem: Problem | None) -> None:
        """Answer with a problem, unless an answer is under way, and close."""
        self._over = True
        self._stop_timer()
        if self.cycle is not None and not self.cycle.response_complete:
            if self._in_head or self.cycle.response_started or self.pipeline:
                self.cycle.keep_alive = False  # an earlier request is being answered: only that is finished
                self.pipeline.clear()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if problem is not None and not self.transport.is_closing():
            self.transport.write(self._response(problem))
        self.transport.close()

    def _response(self, problem: Problem) -> bytes:
        body = problem.content()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *problem.headers,
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        return b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", body])
