"""Opening a remote file at an offset, over http(s) or any object store that fsspec knows.

fsspec and its drivers are imported where a URL needs them: data on this machine needs none.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "abfs": "abfs",
    "abfss": "abfs",
    "az": "abfs",
    "hdfs": "hdfs",
    "oci": "oci",
    "sftp": "sftp",
    "smb": "smb",
    "ftp": "",
    "memory": "",
}
"""Protocols beside http(s), and the extra of fsspec that brings the driver."""
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_TRANSIENT = frozenset({408, 425, 429})


class DownloadError(Exception):
    """Why a URL did not deliver.

    Args:
        reason: for the user, after the URL.
        retry: whether the same request may succeed later.
    """

    def __init__(self, reason: str, *, retry: bool) -> None:
        super().__init__(reason)
        self.retry = retry


@dataclass(frozen=True)
class Stream:
    """An open remote file."""

    start: int
    """Offset of the first byte that ``read`` gives: what was asked for, or 0."""
    total: int | None
    """Bytes of the whole file, when the server says so."""
    validator: str | None
    """A strong ETag: the same ETag later means the same bytes."""
    read: Callable[[int], bytes]
    """Up to so many bytes; empty at the end."""


def protocol_of(url: str) -> str:
    """``s3`` of ``s3://bucket/key``; empty for a plain path."""
    scheme, separator, _ = url.partition("://")
    return scheme.lower() if separator else ""


@contextmanager
def open_stream(url: str, offset: int, validator: str | None, stall: float) -> Iterator[Stream]:
    """Open ``url`` at byte ``offset`` (or at 0, where the server cannot do that).

    Args:
        validator: the ETag of the bytes already here; other bytes are then sent from the start.
        stall: seconds without a byte after which the connection is given up.

    Raises:
        DownloadError: while opening or reading.
    """
    protocol = protocol_of(url)
    if protocol in {"http", "https"}:
        with _open_http(url, offset, validator, stall) as stream:
            yield stream
    elif protocol in EXTRAS and "::" not in url:
        with _open_object(url, offset, EXTRAS[protocol]) as stream:
            yield stream
    else:
        known = ", ".join(sorted({"http", "https", "file", "package", *EXTRAS}))
        raise DownloadError(f"the protocol {protocol!r} is not supported (supported: {known})", retry=False)


@contextmanager
def _open_http(url: str, offset: int, validator: str | None, stall: float) -> Iterator[Stream]:
    import aiohttp
    import fsspec
    from fsspec.asyn import sync

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=stall, sock_read=stall)
    # trust_env: the proxy variables that pip and curl follow. A file system of its own, so that its
    # connections end with this block.
    options = {"trust_env": True, "timeout": timeout}
    files = fsspec.filesystem("http", client_kwargs=options, skip_instance_cache=True)
    session = sync(files.loop, files.set_session)
    response: Any = None
    try:
        with _http_failures(stall):
            response = sync(files.loop, _get, session, files.encode_url(url), offset, validator)

        def read(size: int) -> bytes:
            with _http_failures(stall):
                return bytes(sync(files.loop, response.content.read, size))

        yield _http_stream(response, offset, read)
    finally:
        sync(files.loop, _close, response, session)


@contextmanager
def _http_failures(stall: float) -> Iterator[None]:
    """Turn the errors of a request into a DownloadError."""
    import aiohttp

    try:
        yield
    except TimeoutError as error:
        raise DownloadError(f"no bytes came for {stall:g} s", retry=True) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise DownloadError(f"its certificate is not trusted: {error}", retry=False) from error
    except aiohttp.ClientPayloadError as error:
        raise DownloadError("the connection broke before the end", retry=True) from error
    except aiohttp.NonHttpUrlRedirectClientError as error:
        raise DownloadError(f"it redirects to {error}, which is not on the web", retry=False) from error
    except aiohttp.TooManyRedirects as error:
        raise DownloadError("it redirects without end", retry=False) from error
    except ValueError as error:
        raise DownloadError(f"{type(error).__name__}: {error}", retry=False) from error
    except (aiohttp.ClientError, OSError) as error:
        raise DownloadError(str(error) or type(error).__name__, retry=True) from error


async def _get(session: Any, url: Any, offset: int, validator: str | None) -> Any:
    """The response to a GET of the bytes from ``offset``; from 0 where the range is refused or answered wrongly."""
    headers = {"Accept-Encoding": "identity"}  # the digest is that of the bytes as published
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    response = await session.get(url, headers=headers)
    refused = response.status == 416 or (response.status == 206 and _content_range(response)[0] != offset)
    if offset and refused:
        response.close()
        return await _get(session, url, 0, None)
    if response.status not in {200, 206}:
        response.close()
        retry = response.status >= 500 or response.status in _TRANSIENT
        raise DownloadError(f"HTTP {response.status} {response.reason or ''}".rstrip(), retry=retry)
    return response


async def _close(response: Any, session: Any) -> None:
    if response is not None:
        response.close()
    await session.close()


def _http_stream(response: Any, offset: int, read: Callable[[int], bytes]) -> Stream:
    tag = response.headers.get("ETag", "")
    validator = tag if tag.startswith('"') else None  # weak ones ("W/...") do not vouch for bytes
    if response.status == 206:
        return Stream(offset, _content_range(response)[1], validator, read)
    return Stream(0, response.content_length, validator, read)


def _content_range(response: Any) -> tuple[int, int | None]:
    """First byte and total size that a 206 answer states; -1 when it states nothing that makes sense."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


@contextmanager
def _open_object(url: str, offset: int, extra: str) -> Iterator[Stream]:
    import fsspec

    with _object_failures(extra):
        files, path = fsspec.core.url_to_fs(url)
        size = files.info(path).get("size")
        file = files.open(path, "rb")

    def read(count: int) -> bytes:
        with _object_failures(extra):
            return bytes(file.read(count))

    with file:
        start = offset if size is not None and offset <= size else 0
        file.seek(start)
        yield Stream(start, size, None, read)


@contextmanager
def _object_failures(extra: str) -> Iterator[None]:
    """Turn the errors of a store and its driver into a DownloadError."""
    try:
        yield
    except ImportError as error:
        fix = f'pip install "fsspec[{extra}]"' if extra else "pip install fsspec"
        raise DownloadError(f"its driver is not installed: {fix}", retry=False) from error
    except (FileNotFoundError, PermissionError) as error:
        raise DownloadError(f"{type(error).__name__}: {error}", retry=False) from error
    except (TimeoutError, OSError) as error:
        raise DownloadError(f"{type(error).__name__}: {error}", retry=True) from error
    except Exception as error:  # each store has its own exceptions, for credentials above all
        raise DownloadError(f"{type(error).__name__}: {error}", retry=False) from error
