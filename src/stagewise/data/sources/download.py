"""Downloads that survive a broken connection: kept in part, resumed, retried a bounded number of times."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from stagewise.config.schema.data import File
from stagewise.data.sources.files import CHUNK, mismatch, require_room
from stagewise.data.sources.progress import Meter
from stagewise.data.sources.remote import DownloadError, Stream, open_stream

_LONGEST_DELAY = 30.0


@dataclass(frozen=True)
class Patience:
    """How long a download is waited for."""

    retries: int = 4
    """Further attempts per URL."""
    delay: float = 1.0
    """Seconds before the first of them; doubled each time."""
    stall: float = 30.0
    """Seconds without a byte after which a connection is given up."""


class Partial:
    """The bytes of one file that are already here, and the ETag they came with.

    Kept under the SHA-256 of the content where it is known, so that any URL can go on where another
    stopped, else under that of the URL.
    """

    def __init__(self, folder: Path, sha256: str | None, url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / (sha256 or hashlib.sha256(url.encode()).hexdigest())
        self._note = self.path.with_suffix(".json")

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self, url: str) -> str | None:
        """The ETag with which ``url`` sent these bytes."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return note.get("etag") if isinstance(note, dict) and note.get("url") == url else None

    def remember(self, url: str, validator: str | None) -> None:
        """Keep where the bytes come from."""
        self._note.write_text(json.dumps({"url": url, "etag": validator}), encoding="utf-8")

    def drop(self) -> None:
        """Remove every trace."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def download(url: str, partial: Partial, file: File, patience: Patience, meter: Meter) -> None:
    """Bring the whole of ``url`` into ``partial``, verified against the size and digest of ``file``.

    Raises:
        DownloadError: with the reason; bytes that are wrong are gone, bytes that are merely too few are kept.
        SourceError: the disk is too small.
    """
    if partial.size and file.sha256 and mismatch(partial.path, file) is None:
        return
    resumed = partial.size > 0
    _download_with_retries(url, partial, file, patience, meter)
    wrong = mismatch(partial.path, file)
    if wrong and resumed:  # the old bytes may be those of another version
        partial.drop()
        _download_with_retries(url, partial, file, patience, meter)
        wrong = mismatch(partial.path, file)
    if wrong:
        partial.drop()
        raise DownloadError(wrong, retry=False)


def _download_with_retries(url: str, partial: Partial, file: File, patience: Patience, meter: Meter) -> None:
    attempts = patience.retries + 1
    for attempt in range(1, attempts + 1):
        try:
            return _attempt(url, partial, file, patience.stall, meter)
        except DownloadError as failure:
            if not failure.retry:
                raise
            if attempt == attempts:
                raise DownloadError(f"{failure} (tried {attempts} times)", retry=False) from failure
            delay = min(patience.delay * 2 ** (attempt - 1), _LONGEST_DELAY)
            meter.note(f"{url}: {failure}; attempt {attempt + 1} of {attempts} in {delay:g} s")
            time.sleep(delay)
    return None


def _attempt(url: str, partial: Partial, file: File, stall: float, meter: Meter) -> None:
    """One request, which goes on behind the bytes that are here."""
    if file.bytes is not None and partial.size >= file.bytes:
        partial.drop()  # as long as the whole file, and yet not the file
    if file.sha256 is None and partial.validator(url) is None:
        partial.drop()  # nothing would tell if the rest came from another version
    with open_stream(url, partial.size, partial.validator(url), stall) as stream:
        total = file.bytes or stream.total
        if stream.total is not None and stream.total != total:
            partial.drop()
            raise DownloadError(f"it has {stream.total:,} bytes, {total:,} are declared", retry=False)
        if total is not None:
            require_room(partial.path.parent, total - stream.start, file.name)
        meter.at(stream.start, total)
        partial.remember(url, stream.validator)
        _append(stream, partial, total, meter)
    if total is not None and partial.size < total:
        raise DownloadError(f"the connection ended after {partial.size:,} of {total:,} bytes", retry=True)


def _append(stream: Stream, partial: Partial, total: int | None, meter: Meter) -> None:
    position = stream.start
    with partial.path.open("ab") as target:
        target.truncate(position)
        while chunk := stream.read(CHUNK):
            position += len(chunk)
            if total is not None and position > total:
                break
            target.write(chunk)
            meter.at(position)
    if total is not None and position > total:
        partial.drop()
        raise DownloadError(f"it sends more than the {total:,} bytes that are declared", retry=False)
