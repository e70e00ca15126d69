"""The answers of an exported graph to the test rows; run by its path with the reviewed revision's sources.

python graphs.py GRAPH PROCESSED SETTINGS OUT    SETTINGS: build/compress.yaml; OUT: a Parquet file of answers
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml


def main(graph: Path, processed: Path, settings: Path, out: Path) -> None:
    """Write id, target, and label with ``p_`` columns, or value and error columns, as an evaluation would."""
    from stagewise.compression.session import GraphSession
    from stagewise.config.schema.compress import CompressSettings
    from stagewise.data.rows import open_rows
    from stagewise.data.schema import read_schema

    config = CompressSettings.model_validate(yaml.safe_load(settings.read_text(encoding="utf-8"))["config"])
    schema = read_schema(processed)
    rows = open_rows(config.rows, processed, schema, "test")
    session = GraphSession(graph, config.threads)
    ids, targets, outputs = [], [], []
    for indices, batch, wanted in rows.batches(256):
        ids += rows.ids(indices)
        targets.append(np.asarray(wanted))
        outputs.append(session(batch))
    answers = [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
    pq.write_table(pa.table(_columns(ids, np.concatenate(targets), answers)), out)


def _columns(ids: list[str], targets: np.ndarray, answers: list[np.ndarray]) -> dict[str, pa.Array]:
    labels = [answer for answer in answers if answer.dtype.kind in "iu" and answer.ndim == 1]
    numbers = [answer.reshape(len(ids), -1) for answer in answers if answer.dtype.kind == "f"]
    if labels:
        columns = {
            "id": pa.array(ids),
            "target": pa.array(targets.astype(str)),
            "label": pa.array(labels[0].astype(str)),
        }
        flat = np.concatenate(numbers, axis=1) if numbers else np.empty((len(ids), 0))
        return columns | {f"p_{i}": pa.array(np.ascontiguousarray(flat[:, i])) for i in range(flat.shape[1])}
    values = numbers[0].astype(np.float64)
    wrong = np.nanmean(np.abs(values - targets.reshape(len(ids), -1)), axis=1)
    return {"id": pa.array(ids), "value": pa.array(values.mean(axis=1)), "error": pa.array(wrong)}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
