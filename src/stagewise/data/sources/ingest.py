"""The ingest stage: every raw file of a dataset, verified, and the record of where it came from."""

import json
import shutil
from pathlib import Path
from typing import Any

from stagewise.config.schema.data import File, IngestSettings, Source
from stagewise.data.sources.archives import SUFFIXES, archive_stem, extract
from stagewise.data.sources.download import Patience
from stagewise.data.sources.fetch import fetch
from stagewise.data.sources.local import bring
from stagewise.errors import SourceError

RECORD = "ingest.json"
"""The record, beside the raw files."""


def ingest(
    settings: IngestSettings,
    out: Path,
    *,
    mirror: Path | None = None,
    partial: Path,
    patience: Patience | None = None,
) -> None:
    """Bring every file of ``settings.source`` into the empty folder ``out``, and write ``ingest.json``.

    Equal settings and equal files give equal bytes: the record says nothing of the mirror, the time or the machine.

    Args:
        mirror: a folder that may hold the files, looked at before any URL; ``settings.mirror`` wins over it.
        partial: folder for incomplete downloads, kept from run to run.
        patience: retries and time-outs; ``settings.source.retries`` when None.

    Raises:
        SourceError: a file is missing, cannot be fetched, or is not the one declared; ``out`` is empty then.
        ArchiveError: an archive must not be unpacked.
    """
    source = settings.source
    _check(source)
    folder = Path(settings.mirror) if settings.mirror else mirror
    patience = patience or Patience(retries=source.retries)
    try:
        if source.path is not None:
            entries = [bring(source.path, out, source.limits)]
        else:
            entries = [_bring(file, settings, out, folder, partial, patience) for file in source.files]
        record = {
            "version": 1,
            "name": settings.name,
            "license": source.license,
            "citation": source.citation,
            "files": entries,
        }
        text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
        (out / RECORD).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        _empty(out)
        why = error.strerror or str(error)
        raise SourceError("a raw file cannot be read or written", where=error.filename, why=why) from error
    except BaseException:
        _empty(out)
        raise


def _bring(
    file: File, settings: IngestSettings, out: Path, mirror: Path | None, partial: Path, patience: Patience
) -> dict[str, Any]:
    """Fetch one file, unpack it where that is asked for, and return its entry of the record."""
    target = out / file.name
    folder = settings.source.mirror_folder or settings.name
    mirrors = [mirror / folder / file.name, mirror / file.name] if mirror else []
    digest = fetch(file, target, mirrors=mirrors, partial=partial, patience=patience)
    entry: dict[str, Any] = {"name": file.name, "urls": file.urls, "bytes": target.stat().st_size, "sha256": digest}
    if file.extract:
        produced = _produced(file)
        extracted = extract(target, out / produced, settings.source.limits)
        target.unlink()
        entry["extracted"] = {"folder": produced, "files": extracted.files, "bytes": extracted.bytes}
    return entry


def _check(source: Source) -> None:
    """Refuse a source that says nothing, or the same thing twice."""
    if bool(source.files) == (source.path is not None):
        raise SourceError(
            "a source needs either files (with URLs) or a path (to your own data)",
            where="data.source",
            why="it has both" if source.files else "it has neither",
        )
    taken = {RECORD}
    for file in source.files:
        name = _produced(file)
        for used in {name.lower(), file.name.lower()}:
            if used in taken:
                raise SourceError(f"two files would be written to data/raw/{used}", where="data.source.files")
            taken.add(used)


def _produced(file: File) -> str:
    """What a file becomes below data/raw/: itself, or the folder it is unpacked to."""
    if not file.extract:
        return file.name
    stem = archive_stem(file.name)
    if stem is None:
        known = ", ".join(SUFFIXES)
        raise SourceError(f"{file.name} cannot be unpacked", where="data.source.files", why=f"only {known} can")
    return stem


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
