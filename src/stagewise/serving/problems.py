"""Errors as every client reads them: RFC 9457, application/problem+json."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.types import Send

MEDIA_TYPE = "application/problem+json"

KINDS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "unauthorized": (401, "A key is needed"),
    "not-found": (404, "There is nothing here"),
    "method": (405, "This method is not for this address"),
    "timeout": (408, "The request came too slowly"),
    "too-large": (413, "The request is too large"),
    "media-type": (415, "This kind of content is not taken"),
    "misdirected": (421, "This name is not answered for"),
    "invalid": (422, "The input cannot be used"),
    "rate": (429, "Too many requests of one client"),
    "queue-full": (429, "The model has too much to do"),
    "headers": (431, "The headers are too large"),
    "internal": (500, "The service failed"),
    "overload": (503, "The service has too much to do"),
    "stopping": (503, "The service is stopping"),
    "waited": (503, "The model did not get to the request in time"),
}
"""What ``type`` can be, with the status and the title of each."""


class Problem(Exception):  # noqa: N818 (RFC 9457 calls it so)
    """An answer that is an error.

    Args:
        kind: one of KINDS.
        detail: what is wrong with this request, for whoever sent it.
        retry: seconds after which another try makes sense.
        headers: further ones of the answer.
        errors: parts of the request that are wrong: (JSON pointer, why).
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        retry: float | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
        errors: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(detail or KINDS[kind][1])
        self.kind = kind
        self.status, self.title = KINDS[kind]
        self.detail = detail
        self.errors = errors
        self.headers = list(headers)
        if retry is not None:
            self.headers.append((b"retry-after", str(max(1, math.ceil(retry))).encode()))

    def to_dict(self, request_id: str = "") -> dict[str, Any]:
        """The members of the answer's object."""
        found: dict[str, Any] = {
            "type": f"urn:stagewise:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
        }
        if self.detail:
            found["detail"] = self.detail
        if self.errors:
            found["errors"] = [{"pointer": pointer, "detail": why} for pointer, why in self.errors]
        if request_id:
            found["instance"] = f"urn:stagewise:request:{request_id}"
        return found

    def content(self, request_id: str = "") -> bytes:
        """The answer's body; what cannot be written as UTF-8 is replaced."""
        try:
            return orjson.dumps(self.to_dict(request_id))
        except TypeError:  # half a surrogate pair of the request
            self.detail = self.detail.encode("utf-8", "replace").decode()
            self.errors = [tuple(part.encode("utf-8", "replace").decode() for part in pair) for pair in self.errors]  # type: ignore[misc]
            return orjson.dumps(self.to_dict(request_id))


def of_status(status: int, detail: str = "") -> Problem:
    """The problem that an error of the framework with this status is."""
    for kind, (known, _) in KINDS.items():
        if known == status:
            return Problem(kind, detail)
    problem = Problem("malformed" if status < 500 else "internal", detail)
    problem.status, problem.title = status, HTTPStatus(status).phrase
    return problem


async def send_problem(problem: Problem, send: Send, request_id: str = "") -> None:
    """Answer with a problem."""
    body = problem.content(request_id)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *problem.headers,
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
