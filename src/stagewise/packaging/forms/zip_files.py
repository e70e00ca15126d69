"""Zip files whose bytes depend on their content alone."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that the format knows
_UNIX = 3
_MODE = 0o100644 << 16


def write_zip(target: Path, entries: Mapping[str, bytes | Path]) -> None:
    """Write ``entries``, named by their path in the archive, in the order given; equal entries give equal bytes.

    They are stored as they are: what DEFLATE makes of them differs from one zlib to another, and weights hardly shrink.

    Args:
        target: the file; its folder exists.
        entries: content, or the file that holds it, which is copied block by block.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = _UNIX, _MODE
            if isinstance(content, bytes):
                archive.writestr(info, content)
                continue
            info.file_size = content.stat().st_size
            with content.open("rb") as source, archive.open(info, "w") as sink:
                shutil.copyfileobj(source, sink)
