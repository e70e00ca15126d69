"""Equal content has one digest whatever holds it; any other content has another."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from PIL import Image, PngImagePlugin
from safetensors.numpy import save_file

from stagewise.review.compare.content import content_digest

Write = Callable[[Path], None]
TABLE = pa.table({"id": ["a", "b", "c"], "x": [1.0, 2.0, 3.0]})


def parquet(table: pa.Table, **options: object) -> Write:
    return lambda path: pq.write_table(table, path, **options)


def arrow(table: pa.Table, rows: int) -> Write:
    def write(path: Path) -> None:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=rows)

    return write


def tensors(scale: float, **metadata: str) -> Write:
    arrays = {"a": np.arange(4.0) * scale, "b": np.ones((2, 2), np.float32)}
    return lambda path: save_file(arrays, path, metadata or None)


def text(content: str) -> Write:
    return lambda path: path.write_bytes(content.encode())


def picture(shade: int, note: str) -> Write:
    def write(path: Path) -> None:
        info = PngImagePlugin.PngInfo()
        info.add_text("by", note)
        Image.new("L", (4, 4), shade).save(path, pnginfo=info)

    return write


def graph(value: float, producer: str) -> Write:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [value])
    node = helper.make_node("Mul", ["x", "w"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    model = helper.make_model(helper.make_graph([node], "g", [x], [y], [weight]), producer_name=producer)
    return lambda path: onnx.save(model, str(path))


def gz(content: bytes, time: int) -> Write:
    def write(path: Path) -> None:
        with path.open("wb") as file, gzip.GzipFile("name", "wb", fileobj=file, mtime=time) as packed:
            packed.write(content)

    return write


CASES: dict[str, tuple[str, Write, Write, Write]] = {
    "parquet": ("t.parquet", parquet(TABLE), parquet(TABLE, compression="zstd", row_group_size=1),
                parquet(TABLE.set_column(1, "x", [[1.0, 2.0, 3.5]]))),
    "arrow": ("t.arrow", arrow(TABLE, 3), arrow(TABLE, 1), arrow(TABLE.slice(0, 2), 3)),
    "tensors": ("m.safetensors", tensors(1), tensors(1, by="x"), tensors(1 + 1e-12)),
    "json": ("v.json", text('{"a": 1, "b": [1, 2]}'), text(json.dumps({"b": [1, 2], "a": 1}, indent=3)), text('{"a": 1, "b": [2, 1]}')),
    "yaml": ("v.yaml", text("a: 1\n"), text("# so\n{a: 1}\n"), text("a: '1'\n")),
    "png": ("p.png", picture(3, "x"), picture(3, "y"), picture(4, "x")),
    "onnx": ("g.onnx", graph(2.0, "a"), graph(2.0, "b"), graph(2.5, "a")),
    "text": ("t.html", text("a\nb\n"), text("a\r\nb\r\n"), text("a\nc\n")),
    "gzip": ("t.gz", gz(b"x", 1), gz(b"x", 2), gz(b"y", 1)),
    "anything": ("t.bin", text("x"), text("x"), text("y")),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_content_decides(kind: str, tmp_path: Path) -> None:
    name, *writers = CASES[kind]
    digests = []
    for number, write in enumerate(writers):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder / name)
        digests.append(content_digest(folder / name))
    assert digests[0] == digests[1] != digests[2]
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize(
    "name", ["t.parquet", "t.arrow", "m.safetensors", "v.json", "p.png", "g.onnx", "t.gz", "a.npz"]
)
def test_damaged_files_have_a_digest_of_their_bytes(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"not this kind")
    first = content_digest(tmp_path / name)
    (tmp_path / name).write_bytes(b"not this kind, either")
    assert content_digest(tmp_path / name) != first


def test_no_pickle_is_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (Path.touch, (tmp_path / "exploded",))

    np.savez(tmp_path / "a.npz", a=np.array([Bomb()], dtype=object))
    assert content_digest(tmp_path / "a.npz")
    assert not (tmp_path / "exploded").exists()
