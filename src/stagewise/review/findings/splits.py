"""Test rows that training has seen: exact copies across the splits that were made again."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from stagewise.review.record import Finding

_MANY = 0.01
"""Share of the test rows from which on copies are an error; below, data that repeats itself by nature is likely."""


def leaking(processed: Path, stage: str | None) -> list[Finding]:
    """Exact copies of test rows among the training or validation rows of a processed folder.

    Rows are compared by their content without id. Splits without rows of their own (windows of a series) are left out.
    """
    seen = [_contents(processed / f"{split}.arrow") for split in ("train", "validation")]
    test = _contents(processed / "test.arrow")
    if not test:
        return []
    known = {content for split in seen for content in split}
    copies = [row for row, content in enumerate(test) if content in known]
    if not copies:
        return []
    return [
        Finding(
            code="leaking-split",
            severity="error" if len(copies) >= _MANY * len(test) else "warning",
            stage=stage,
            what=f"{len(copies):,} of {len(test):,} test rows are exact copies of rows that training saw",
            where=f"row {copies[0]} of test.arrow",
            fix="data.checks.leakage: drop (or group copies by data.split), then dvc repro",
        )
    ]


def _contents(path: Path) -> list[bytes]:
    if not path.is_file():
        return []
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        if "value" not in reader.schema.names or "id" not in reader.schema.names:
            return []
        return [row for number in range(reader.num_record_batches) for row in _rows(reader.get_batch(number))]


def _rows(batch: Any) -> Iterator[bytes]:
    for value in batch.column("value"):
        array = value.values
        content = array.to_numpy(zero_copy_only=False).tobytes()
        yield hashlib.blake2b(content, digest_size=16).digest()
