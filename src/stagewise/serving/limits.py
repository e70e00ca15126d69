"""Who may ask, how often, and how much of it is held at one moment."""

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Iterable

from starlette.types import Message, Receive, Scope

from stagewise.serving.options import Limits, Options
from stagewise.serving.problems import Problem

_CLIENTS = 10_000
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_BEARER = b"bearer "


class DisconnectedError(Exception):
    """The client is gone: nobody waits for an answer."""


class Keys:
    """The keys that let a request in; without any, everybody is let in."""

    def __init__(self, digests: Iterable[bytes]) -> None:
        self._digests = tuple(digests)

    def check(self, authorization: bytes) -> str:
        """Which key a header ``Authorization: Bearer KEY`` holds, by its place; empty where no key is needed.

        Every key is compared, each in constant time.

        Raises:
            Problem: it holds none of them.
        """
        if not self._digests:
            return ""
        given = authorization[len(_BEARER) :] if authorization[: len(_BEARER)].lower() == _BEARER else b""
        digest = hashlib.sha256(given).digest()
        found = [place for place, known in enumerate(self._digests) if hmac.compare_digest(known, digest)]
        if not found:
            why = "the key is not known" if authorization else "send the header Authorization: Bearer KEY"
            raise Problem("unauthorized", why, headers=[(b"www-authenticate", b'Bearer realm="stagewise"')])
        return str(found[0])


class Buckets:
    """A token bucket per client; of the clients that were seen last only.

    Args:
        rate: tokens per second; 0 lets everything through.
        burst: tokens of a full bucket; 0 for those of a second.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, float(burst or max(rate, 1.0))
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now: float | None = None) -> None:
        """Take a token.

        Raises:
            Problem: there is none; it says after how many seconds there will be.
        """
        if not self._rate:
            return
        now = time.monotonic() if now is None else now
        tokens, since = self._clients.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._clients[client] = (tokens - allowed, now)
        if len(self._clients) > _CLIENTS:
            self._clients.popitem(last=False)
        if not allowed:
            raise Problem("rate", f"more than {self._rate:g} a second", retry=(1 - tokens) / self._rate)


class Hosts:
    """The names that a service on loopback answers to: a page on the web must not reach it by a name of its own."""

    def __init__(self, options: Options) -> None:
        self._names = {*_LOCAL, *(name.lower() for name in options.hosts)} if options.is_local else None

    def check(self, host: bytes) -> None:
        """Check a Host header; none at all is no browser's.

        Raises:
            Problem: it names another machine.
        """
        if self._names is None or not host:
            return
        name = host.decode("latin-1").lower()
        name = name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() else name
        if name not in self._names:
            raise Problem("misdirected", "this service answers to the names of its own machine (--allow-host)")


class Room:
    """What is in the works at one moment: requests, and the bytes of their bodies."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.requests = 0
        self.bytes = 0

    def enter(self) -> None:
        """Begin a request.

        Raises:
            Problem: there are too many.
        """
        if self.requests >= self._limits.requests:
            raise Problem("overload", f"{self.requests} requests are being answered already", retry=1)
        self.requests += 1

    def leave(self) -> None:
        """End a request."""
        self.requests -= 1

    async def read(self, receive: Receive, length: bytes) -> "Held":
        """The body of a request, of which no more is read than is allowed.

        Args:
            receive: of the request.
            length: its Content-Length; empty where it has none.

        Raises:
            Problem: it is too large, or all bodies together are.
            DisconnectedError: the client went away.
        """
        most = self._limits.body_bytes
        if length.isdigit() and (len(length) > 18 or int(length) > most):
            raise Problem("too-large", f"the body has more than {most:,} bytes")
        held = Held(self)
        try:
            message = await receive()
            held.add(message, most)
            if message.get("more_body"):
                parts = [message["body"]]
                while message.get("more_body"):
                    message = await receive()
                    held.add(message, most)
                    parts.append(message["body"])
                held.body = b"".join(parts)
            else:
                held.body = message["body"]
        except BaseException:
            held.release()
            raise
        return held


class Held:
    """A body that counts against what may be held, until it is released."""

    __slots__ = ("_count", "_room", "body")

    def __init__(self, room: Room) -> None:
        self._room, self._count, self.body = room, 0, b""

    def add(self, message: Message, most: int) -> None:
        """Count a part of it."""
        if message["type"] != "http.request":
            raise DisconnectedError
        count = len(message["body"])
        self._count += count
        self._room.bytes += count
        if self._count > most:
            raise Problem("too-large", f"the body has more than {most:,} bytes")
        if self._room.bytes > self._room._limits.pending_bytes:
            raise Problem("overload", "the bodies of other requests take all the memory there is for them", retry=1)

    def release(self) -> None:
        """It is not needed any more."""
        self._room.bytes -= self._count
        self._count = 0


def client_of(scope: Scope) -> str:
    """The address of a request, as far as it is known."""
    client = scope.get("client")
    return str(client[0]) if client else "?"
