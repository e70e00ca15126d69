"""What the service is told when it starts, and nothing that a request could change."""

import argparse
import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stagewise.errors import StagewiseError

KEY_VARIABLE = "STAGEWISE_API_KEY"
_MIB = 1024**2
_KEY_LENGTH = 16


class ServeError(StagewiseError):
    """The service cannot start, or cannot take a package."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may cost."""

    body_bytes: int = 16 * _MIB
    """Of one request."""
    pending_bytes: int = 256 * _MIB
    """Of all bodies that are held at one moment."""
    pixels: int = 16_000_000
    """Of one image, by its header."""
    samples: int = 10_000_000
    """Of one recording, all channels together, by its header."""
    inputs: int = 256
    """Of one request."""
    requests: int = 512
    """That are answered at one moment."""
    connections: int = 1024
    headers: int = 64
    header_bytes: int = 16 * 1024
    """Request line and headers together."""
    header_seconds: float = 10.0
    """From the opening of a connection, or from its first byte, to the end of the headers."""
    request_seconds: float = 30.0
    """From the first byte of a request to its last."""
    queue_seconds: float = 10.0
    """That an input may wait for the model."""
    idle_seconds: float = 15.0
    """Between two requests of a connection."""
    rate: float = 0.0
    """Requests per second of one key, or of one address where there are no keys; 0 for any number."""
    burst: int = 0
    """Requests at once within the rate; 0 for those of one second."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How requests share a run of the model."""

    rows: int = 16
    """Most rows of one run. While one runs the next is gathered, so a large one makes both wait for each other."""
    wait_ms: float = 0.0
    """How long the first row of a run waits for others; 0 takes what is there."""
    queue: int = 1024
    """Rows that may wait for the model; more are refused."""


@dataclass(frozen=True, slots=True)
class Share:
    """A package that gets a share of the traffic."""

    path: Path
    share: float


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that ``serve`` is told."""

    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 1
    """CPU threads of one run of a model; 0 takes all cores."""
    limits: Limits = field(default_factory=Limits)
    batching: Batching = field(default_factory=Batching)
    canaries: tuple[Share, ...] = ()
    shadows: tuple[Share, ...] = ()
    keys: tuple[bytes, ...] = ()
    """SHA-256 of every key; none lets everybody in."""
    hosts: tuple[str, ...] = ()
    """Names in the Host header that are answered, beside those of this machine; used on loopback only."""
    proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For is believed."""
    drain_seconds: float = 0.0
    """How long to go on, not ready any more, after SIGTERM."""
    stop_seconds: float = 30.0
    """How long accepted requests may take after that."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in ("127.0.0.1", "::1", "localhost")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all options of the service to a parser."""
    one, limits, batching = Options(), Limits(), Batching()
    parser.add_argument("packages", nargs="+", type=Path, metavar="PACKAGE", help="dist/<name>-<version>, or a link")
    parser.add_argument("--host", default=one.host, help=f"address to listen at ({one.host}: this machine only)")
    parser.add_argument("--port", type=_port, default=one.port, help=f"0 takes any that is free ({one.port})")
    parser.add_argument("--threads", type=_whole, default=one.threads, help="CPU threads of a model; 0: all cores (1)")
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help=f"keys, one a line; or set {KEY_VARIABLE}")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="answer this Host header too")
    parser.add_argument("--trusted-proxy", action="append", default=[], metavar="ADDRESS", help="believe its headers")
    _numbers(parser.add_argument_group("batches"), batching, "batch")
    _numbers(parser.add_argument_group("limits"), limits, "max")
    shares = parser.add_argument_group("other versions of a served model")
    shares.add_argument("--canary", action="append", type=_share, default=[], metavar="PACKAGE=SHARE",
                        help="answers this share of the requests")  # fmt: skip
    shares.add_argument("--shadow", action="append", type=_share, default=[], metavar="PACKAGE[=SHARE]",
                        help="is asked too, and only compared")  # fmt: skip
    parser.add_argument("--drain-seconds", type=_seconds, default=one.drain_seconds, help="go on after SIGTERM (0)")
    parser.add_argument("--stop-seconds", type=_seconds, default=one.stop_seconds, help="then wait for answers (30)")


def read_options(parsed: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Options:
    """The options of a parsed command line; keys come from a file or the environment, never from the command line.

    Raises:
        ServeError: options that contradict each other, or a file of keys that cannot be used.
    """
    values = vars(parsed)
    limits = Limits(**{name: values[f"max_{name}"] for name in Limits.__dataclass_fields__})
    batching = Batching(**{name: values[f"batch_{name}"] for name in Batching.__dataclass_fields__})
    if limits.inputs > batching.queue:
        raise ServeError(
            f"a request may hold {limits.inputs} inputs, and only {batching.queue} fit into the queue",
            fix="make --batch-queue larger, or --max-inputs smaller",
        )
    return Options(
        host=parsed.host,
        port=parsed.port,
        threads=parsed.threads,
        limits=limits,
        batching=batching,
        canaries=tuple(parsed.canary),
        shadows=tuple(parsed.shadow),
        keys=read_keys(parsed.api_key_file, os.environ if environment is None else environment),
        hosts=tuple(parsed.allow_host),
        proxies=tuple(parsed.trusted_proxy),
        drain_seconds=parsed.drain_seconds,
        stop_seconds=parsed.stop_seconds,
    )


def read_keys(file: Path | None, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """SHA-256 of every key of a file, else of the environment.

    Raises:
        ServeError: the file cannot be read or holds no key, or a key is too short or not printable ASCII.
    """
    where = str(file) if file else KEY_VARIABLE
    try:
        text = file.read_text(encoding="utf-8") if file else environment.get(KEY_VARIABLE, "")
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError("the file of keys cannot be read", where=where, why=str(error)) from error
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if file and not keys:
        raise ServeError("the file of keys holds none", where=where, fix="write one key a line")
    for key in keys:
        if len(key) < _KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
            raise ServeError(
                f"a key has fewer than {_KEY_LENGTH} characters, or others than printable ASCII",
                where=where,
                fix="python -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
    return tuple(hashlib.sha256(key.encode()).digest() for key in keys)


_HELP = {
    "rows": "most rows of one run of the model",
    "wait_ms": "how long the first row waits for others; 0 takes what is there",
    "queue": "rows that may wait; more are refused with 429",
    "body_bytes": "of one request",
    "pending_bytes": "of all bodies held at one moment",
    "pixels": "of one image, by its header",
    "samples": "of one recording, by its header",
    "inputs": "of one request",
    "requests": "answered at one moment",
    "connections": "open at one moment",
    "headers": "of one request",
    "header_bytes": "request line and headers together",
    "header_seconds": "until the headers are there",
    "request_seconds": "until the whole request is there",
    "queue_seconds": "that an input may wait for the model",
    "idle_seconds": "between two requests of a connection",
    "rate": "requests per second of one key or address; 0: any number",
    "burst": "of them at once; 0: those of a second",
}


def _numbers(group: argparse._ArgumentGroup, defaults: Limits | Batching, prefix: str) -> None:
    for name in type(defaults).__dataclass_fields__:
        default = getattr(defaults, name)
        free = name in ("rate", "burst", "wait_ms")
        kind = (_whole if isinstance(default, int) else _seconds) if free else _positive(type(default))
        option = f"--{prefix}-{name.replace('_', '-')}"
        group.add_argument(option, type=kind, default=default, metavar="N", help=f"{_HELP[name]} ({default:,})")


def _positive(kind: Callable[[str], int | float]) -> Callable[[str], int | float]:
    def number(text: str) -> int | float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError("must be above 0")
        return value

    return number


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("must be at least 0")
    return value


def _port(text: str) -> int:
    value = _whole(text)
    if value > 65535:
        raise argparse.ArgumentTypeError("must be at most 65535")
    return value


def _share(text: str) -> Share:
    """``dist/x=0.1``; without a number, all of it."""
    path, mark, number = text.rpartition("=")
    if not mark:
        return Share(Path(text), 1.0)
    try:
        share = float(number)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{number!r} is no share above 0 and at most 1")
    return Share(Path(path), share)
