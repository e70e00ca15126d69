"""How large a graph is when it travels compressed: what sparse and clustered weights gain."""

from pathlib import Path

import pyarrow as pa

_LEVEL = 19


def compressed_bytes(path: Path) -> int:
    """Bytes of a file after zstd at level 19, by pyarrow's own codec: the same on every machine."""
    codec = pa.Codec("zstd", compression_level=_LEVEL)
    return len(codec.compress(path.read_bytes(), asbytes=True))
