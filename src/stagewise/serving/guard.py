"""What every request passes through, whatever its address: who, how often, how many, and what it is counted as."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stagewise.serving.demo.router import PUBLIC
from stagewise.serving.limits import DisconnectedError, client_of
from stagewise.serving.problems import Problem, send_problem
from stagewise.serving.service import LOG, Service

OPEN = ("/healthz", "/readyz")
"""Addresses that need no key and are always answered, for whoever keeps the service alive."""

_ROUTES = (
    *("/v1/predict", "/v1/models", "/v1/model", "/v1/feedback", "/v1/drift", "/metrics", "/openapi.json"),
    *(*OPEN, *PUBLIC),
)
_NAMED = re.compile(r"/v1/models/[^/]+(/predict)?")


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in or answer it with a problem; count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service, path = self._service, scope["path"]
        request_id = scope["stagewise.id"] = service.next_id()
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            if path in OPEN:
                await self._app(scope, receive, observed)
            else:
                self._check(scope)
                service.room.enter()
                try:
                    await self._app(scope, receive, observed)
                finally:
                    service.room.leave()
        except DisconnectedError:
            return
        except Exception as error:
            problem = error if isinstance(error, Problem) else Problem("internal")
            if problem is not error:
                LOG.exception("request %s failed", request_id)
            if status:
                raise  # half an answer is out: the connection is all that can be ended
            self._service.metrics.problems.of(problem.kind).add()
            await send_problem(problem, observed, request_id)
        service.metrics.requests.of(route_of(path), str(status)).add()

    def _check(self, scope: Scope) -> None:
        host, authorization = b"", b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"authorization":
                authorization = value
        service = self._service
        service.hosts.check(host)
        client = None if scope["path"] in PUBLIC else service.keys.check(authorization)
        service.buckets.take(client or client_of(scope))


def route_of(path: str) -> str:
    """The address without what is different in each request, as a label that takes few values."""
    if path in _ROUTES:
        return path
    named = _NAMED.fullmatch(path)
    return "other" if named is None else f"/v1/models/{{name}}{named[1] or ''}"
