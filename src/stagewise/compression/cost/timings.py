"""Times that decide: read from a file of the project, so that the same choice is made everywhere."""

import json
from pathlib import Path
from typing import Any

from stagewise.compression.measure import Quality
from stagewise.errors import CompressionError


def read_timings(file: str, qualities: dict[str, Quality]) -> dict[str, dict[str, Any]]:
    """The figures of each candidate in a copy of latency.json.

    Raises:
        CompressionError: the file is missing or no such copy, or a candidate is not in it as it is now.
    """
    try:
        entries = json.loads(Path(file).read_text(encoding="utf-8"))["candidates"]
        digests = {name: entry["sha256"] for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unfit(file, f"it is no copy of latency.json ({type(error).__name__}: {error})") from error
    missing = [name for name, item in qualities.items() if digests.get(name) != item.sha256]
    if missing:
        raise _unfit(file, f"it has no figures of {', '.join(missing)} as they are now")
    return dict(entries)


def _unfit(file: str, why: str) -> CompressionError:
    return CompressionError(
        "the times that are to decide cannot be used",
        where=f"compress.timings: {file}",
        why=why,
        fix=f"set compress.timings=null, dvc repro compress, then copy reports/compression/latency.json to {file}",
    )
