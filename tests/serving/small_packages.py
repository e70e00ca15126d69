"""Small packages of every kind of input, made without any training."""

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
from brightness import nearest_level
from onnx import TensorProto, helper
from PIL import Image

from stagewise.packaging import integrity, predictor
from stagewise.packaging.contents import io_schema
from stagewise.packaging.manifest import write_manifest

SHADES = ["black", "grey", "white"]
CATEGORIES = ["red", "green"]
WORDS = ["good", "bad", "film"]


def make_shades(out: Path, *, name: str = "shades", version: str = "1.0.0", levels: Any = (0.0, 127.0, 255.0)) -> Path:
    """Images of any size; which of three greys they are nearest to."""
    feature = {"name": "image", "kind": "image", "dtype": "uint8", "shape": [6, 4, 1], "resize": "bilinear"}
    graph = _classes([1, 2, 3], TensorProto.UINT8, "image", ["batch", 6, 4, 1], levels, 30.0)
    example = np.full((6, 4), 250, np.uint8)

    def save(folder: Path) -> str:
        Image.fromarray(example).save(folder / "0.png")
        return "0.png"

    schema = _schema("image", feature, "classes", _target(SHADES))
    return _write(out, name, version, graph, schema, save, example.reshape(1, 6, 4, 1))


def make_texts(out: Path, *, name: str = "texts") -> Path:
    """Texts; the class by the mean number of their words."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[MASK]": 2, "[CLS]": 3, **{word: 4 + k for k, word in enumerate(WORDS)}}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }  # fmt: skip
    feature = {
        "name": "tokens", "kind": "text", "dtype": "int32", "shape": [None], "tokenizer": json.dumps(tokenizer),
        "algorithm": "word", "max_length": 8, "vocabulary": len(vocabulary), "normalization": "NFC", "lower": True,
        "strip_accents": False, "fold_digits": False,
    }  # fmt: skip
    graph = _classes([1], TensorProto.INT32, "tokens", ["batch", "length"], (4.0, 6.0), 1.0)

    def save(folder: Path) -> str:
        (folder / "0.txt").write_text("good\n")
        return "0.txt"

    schema = _schema("text", feature, "classes", _target(["good", "film"]))
    return _write(out, name, "1.0.0", graph, schema, save, np.array([[4]], np.int32))


def make_table(out: Path, *, name: str = "prices") -> Path:
    """Rows of a number and a category; their mean."""
    number = {"name": "rooms", "source": "rooms", "type": "number", "part": None, "unit": "rooms"}
    category = {
        "name": "colour", "source": "colour", "type": "category", "part": None, "unit": "", "categories": CATEGORIES,
        "codes": 4, "missing_code": 3,
    }  # fmt: skip
    for column in (number, category):
        column.setdefault("categories", [])
        column.setdefault("codes", 0)
        column.setdefault("missing_code", None)
    feature = {
        "name": "table", "kind": "table", "dtype": "float32", "shape": [2], "columns": [number, category],
        "dropped": {"id": "data.feature.drop"}, "na": ["?"],
    }  # fmt: skip
    nodes = [
        helper.make_node("IsNaN", ["table"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "table"], ["known"]),
        helper.make_node("ReduceMean", ["known", "axes"], ["value"], keepdims=0),
    ]
    graph = _graph(
        nodes,
        {"axes": np.array([1]), "zero": np.array(0, np.float32)},
        ("table", TensorProto.FLOAT, ["batch", 2]),
        [("value", TensorProto.FLOAT, ["batch"])],
    )
    target = {"name": "price", "kind": "number", "outputs": 1, "unit": "USD"}

    def save(folder: Path) -> str:
        (folder / "0.json").write_text(json.dumps({"rooms": 3, "colour": "green"}))
        return "0.json"

    schema = _schema("table", feature, "numbers", target)
    return _write(out, name, "1.0.0", graph, schema, save, np.array([[3, 2]], np.float32))


def make_sounds(out: Path, *, name: str = "sounds") -> Path:
    """Recordings of 100 samples; quiet or loud by their mean."""
    feature = {
        "name": "sound", "kind": "sound", "dtype": "int16", "shape": [100], "rate": 8000, "trim_db": None,
        "align": "start", "normalize": None, "level_db": -1.0,
    }  # fmt: skip
    graph = _classes([1], TensorProto.INT16, "sound", ["batch", 100], (0.0, 20000.0), 3000.0)
    row = np.full(100, 20000, np.int16)

    def save(folder: Path) -> str:
        soundfile.write(folder / "0.wav", row, 8000, subtype="PCM_16")
        return "0.wav"

    schema = _schema("sound", feature, "classes", _target(["quiet", "loud"]))
    return _write(out, name, "1.0.0", graph, schema, save, row[None])


def make_series(out: Path, *, name: str = "waves") -> Path:
    """Three steps of two variables; the next two steps are the means of the last ones."""
    feature = {
        "name": "series", "kind": "series", "dtype": "float32", "shape": [3, 2], "lookback": 3, "variables": ["a", "b"],
        "units": ["", "°C"], "calendar": [], "step": "1h", "gaps": "fail", "max_gap": 0, "time_column": "time",
        "series_column": "series",
    }  # fmt: skip
    nodes = [
        helper.make_node("ReduceMean", ["series", "axes"], ["mean"], keepdims=1),
        helper.make_node("Concat", ["mean", "mean"], ["forecast"], axis=1),
    ]
    graph = _graph(
        nodes,
        {"axes": np.array([1])},
        ("series", TensorProto.FLOAT, ["batch", 3, 2]),
        [("forecast", TensorProto.FLOAT, ["batch", 2, 2])],
    )
    target = {
        "name": "waves", "kind": "series", "outputs": 2, "variables": ["a", "b"], "units": ["", "°C"], "step": "1h",
    }  # fmt: skip

    def save(folder: Path) -> str:
        (folder / "0.csv").write_text("a,b\n1,2\n2,4\n3,6\n")
        return "0.csv"

    schema = _schema("series", feature, "forecast", target)
    return _write(out, name, "1.0.0", graph, schema, save, np.array([[[1, 2], [2, 4], [3, 6]]], np.float32))


MAKERS: dict[str, Callable[[Path], Path]] = {
    "image": make_shades, "text": make_texts, "table": make_table, "sound": make_sounds, "series": make_series,
}  # fmt: skip


def _classes(axes: list[int], kind: int, name: str, shape: list[Any], levels: Any, width: float) -> onnx.ModelProto:
    """Which of some levels the mean of a row is nearest to."""
    nodes = nearest_level(name)
    weights = {
        "axes": np.array(axes),
        "column": np.array([-1, 1]),
        "levels": np.array(levels, np.float32),
        "temperature": np.array(-width, np.float32),
    }
    outputs = [("label", TensorProto.INT64, ["batch"]), ("probabilities", TensorProto.FLOAT, ["batch", len(levels)])]
    return _graph(nodes, weights, (name, kind, shape), outputs)


def _graph(nodes: list[Any], weights: dict[str, np.ndarray], given: Any, outputs: list[Any]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(*given)],
        [helper.make_tensor_value_info(*output) for output in outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _target(classes: list[str]) -> dict[str, Any]:
    return {"name": "label", "kind": "class", "outputs": len(classes), "classes": classes}


def _schema(inputs: str, feature: dict[str, Any], answers: str, target: dict[str, Any]) -> dict[str, Any]:
    runtime = {"inputs": f"stagewise.runtime.{inputs}", "answers": f"stagewise.runtime.{answers}"}
    return {"version": 2, "runtime": runtime, "inputs": [feature], "target": target}


_DTYPES = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}


def _write(
    out: Path,
    name: str,
    version: str,
    model: onnx.ModelProto,
    schema: dict[str, Any],
    save: Callable[[Path], str],
    row: np.ndarray,
) -> Path:
    import onnxruntime

    (out / "examples").mkdir(parents=True)
    onnx.save(model, out / "model.onnx")
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    schema["outputs"] = [
        {
            "name": output.name,
            "dtype": {"tensor(float)": "float32", "tensor(int64)": "int64"}[output.type],
            "shape": output.shape,
        }
        for output in session.get_outputs()
    ]
    numbers = [
        value.reshape(-1) for value in session.run(None, {schema["inputs"][0]["name"]: row}) if value.dtype.kind == "f"
    ]
    expected = {"tolerance": 0.02, "outputs": {save(out / "examples"): np.concatenate(numbers).tolist()}}
    _json(out / "examples" / "expected.json", expected)
    _json(out / "schema.json", schema)
    _json(out / io_schema.FILE, io_schema.io_schema(name, version, schema))
    (out / "README.md").write_text(f"# {name}\n\nA small model.\n")
    inputs, answers = (importlib.import_module(schema["runtime"][key]) for key in predictor.RUNTIME)
    for module, file in ((predictor, "predict"), (integrity, "integrity"), (inputs, "inputs"), (answers, "answers")):
        shutil.copy(Path(str(module.__file__)), out / f"{file}.py")
    write_manifest(out, name, version, {"train": "a" * 64})
    return out


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
