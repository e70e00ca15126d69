"""The content of a file without its container: what two runs must agree on to be identical."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

_ROWS = 65536
_NOT_IN_NUMPY = ("torch.bfloat16", "torch.float8_e4m3fn", "torch.float8_e5m2")


def content_digest(path: Path) -> str:
    """SHA-256 of a file's canonical content, by its suffix; of its bytes where the kind is unknown or it is damaged.

    Tensors count by name, type, shape and values; tables by their columns and rows; JSON and YAML by their parsed
    values; pictures by their pixels; graphs by their nodes and weights, without who wrote them; text without the kind
    of its line ends.
    """
    digest = hashlib.sha256()
    try:
        for part in _KINDS.get(path.suffix, _bytes)(path):
            digest.update(part)
    except Exception:  # a damaged file of whatever kind is compared as it lies there
        digest = hashlib.sha256(b"damaged")
        for part in _bytes(path):
            digest.update(part)
    return digest.hexdigest()


def read_tensors(path: Path) -> dict[str, Any]:
    """The arrays of a safetensors, .npz or .npy file, by name; types that NumPy lacks as float32."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        tensors = load_file(path)
        plain = {name: t.float() if str(t.dtype) in _NOT_IN_NUMPY else t for name, t in tensors.items()}
        return {name: plain[name].numpy() for name in sorted(plain)}
    if path.suffix == ".npy":
        return {"": np.load(path, allow_pickle=False)}
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in sorted(arrays.files)}


def read_table(path: Path) -> Any:
    """The Arrow table in a Parquet, Arrow IPC or CSV file."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    if path.suffix == ".csv":
        return pyarrow.csv.read_csv(path)
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def read_values(path: Path) -> Any:
    """The parsed values of a JSON or YAML file."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def _bytes(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block


def _tensors(path: Path) -> Iterator[bytes]:
    for name, array in read_tensors(path).items():
        yield f"{name}\0{array.dtype.str}\0{array.shape}\0".encode()
        yield np.ascontiguousarray(array).tobytes()


def _table(path: Path) -> Iterator[bytes]:
    """Rows in slices of equal length, however the file cuts them."""
    import pyarrow as pa

    table = read_table(path).replace_schema_metadata(None)
    yield str(table.schema).encode()
    for begin in range(0, table.num_rows, _ROWS):
        sink = pa.BufferOutputStream()
        part = table.slice(begin, _ROWS).combine_chunks()
        with pa.ipc.new_stream(sink, part.schema) as writer:
            writer.write_table(part)
        yield sink.getvalue().to_pybytes()


def _values(path: Path) -> Iterator[bytes]:
    yield json.dumps(read_values(path), sort_keys=True, default=str).encode()


def _graph(path: Path) -> Iterator[bytes]:
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    for name in ("producer_name", "producer_version", "doc_string", "metadata_props"):
        model.ClearField(name)
    yield model.SerializeToString(deterministic=True)


def _picture(path: Path) -> Iterator[bytes]:
    from PIL import Image

    with Image.open(path) as image:
        yield f"{image.mode}{image.size}".encode()
        yield image.tobytes()


def _text(path: Path) -> Iterator[bytes]:
    for block in _bytes(path):
        yield block.replace(b"\r\n", b"\n")


def _gzip(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        while block := file.read(1 << 20):
            yield block


_KINDS: dict[str, Callable[[Path], Iterator[bytes]]] = {
    **dict.fromkeys((".safetensors", ".npz", ".npy"), _tensors),
    **dict.fromkeys((".parquet", ".arrow", ".feather"), _table),
    **dict.fromkeys((".json", ".yaml", ".yml"), _values),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), _picture),
    **dict.fromkeys((".csv", ".html", ".md", ".svg", ".txt", ".py"), _text),
    ".onnx": _graph,
    ".gz": _gzip,
}
