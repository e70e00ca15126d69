"""Packages with a reference, and a service that watches them."""

import itertools
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image
from serving.small_packages import _graph, _schema, _target, _write
from serving.talking import Client, local
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from stagewise.drift.options import DriftOptions
from stagewise.drift.reference import FILE, make_reference, write_reference
from stagewise.packaging.manifest import write_manifest
from stagewise.serving.drift.router import drift

TRAINED, REFERENCE = 900, 450


@dataclass
class Stored:
    """Rows of a split, as they are stored."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    lengths: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        return self.inputs[indices]

    def take_targets(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        return self.targets[indices]


@lru_cache(maxsize=1)
def digits() -> tuple[Stored, Stored, Stored]:
    """Rows to train on, rows for the reference, and rows that neither has seen; shuffled, since writers differ."""
    found = load_digits()
    order = np.random.default_rng(3).permutation(len(found.data))
    images = np.round(found.images[order] * 255 / 16).astype(np.uint8)[..., None]
    labels = found.target[order]
    ends = (0, TRAINED, TRAINED + REFERENCE, len(order))
    parts = [Stored(images[a:b], labels[a:b]) for a, b in itertools.pairwise(ends)]
    return parts[0], parts[1], parts[2]


def make_digits(out: Path) -> Path:
    """A package of a trained classifier of digits, with its reference."""
    train, reference, _ = digits()
    model = LogisticRegression(C=0.01, max_iter=2000).fit(train.inputs.reshape(TRAINED, -1) / 16.0, train.targets)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "flat"], ["row"]),
        helper.make_node("Gemm", ["row", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    weights = {
        "flat": np.array([-1, 64]),
        "weight": (model.coef_.T / 16.0).astype(np.float32),
        "bias": model.intercept_.astype(np.float32),
    }
    outputs = [("label", TensorProto.INT64, ["batch"]), ("probabilities", TensorProto.FLOAT, ["batch", 10])]
    graph = _graph(nodes, weights, ("image", TensorProto.UINT8, ["batch", 8, 8, 1]), outputs)
    feature = {"name": "image", "kind": "image", "dtype": "uint8", "shape": [8, 8, 1], "resize": "bilinear"}
    row = reference.inputs[:1]

    def save(folder: Path) -> str:
        Image.fromarray(row[0, :, :, 0]).save(folder / "0.png")
        return "0.png"

    schema = _schema("image", feature, "classes", _target([str(digit) for digit in range(10)]))
    _write(out, "digits", "1.0.0", graph, schema, save, row)
    return add_reference(out, reference)


def add_reference(package: Path, rows: Stored) -> Path:
    """Write a package's reference, and its manifest anew."""
    schema = json.loads((package / "schema.json").read_text())
    manifest = json.loads((package / "manifest.json").read_text())
    (package / FILE).write_text(write_reference(make_reference(rows, run(package), schema)))
    (package / "manifest.json").unlink()
    write_manifest(package, manifest["name"], manifest["version"], manifest["stage_keys"])
    return package


def run(package: Path) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
    """The graph of a package."""
    session = onnxruntime.InferenceSession(package / "model.onnx", providers=["CPUExecutionProvider"])
    return lambda rows: session.run(None, {session.get_inputs()[0].name: rows})


def watched(packages: list[Path], talk: Callable[[Client], Awaitable[Any]], options: DriftOptions, **more: Any) -> Any:
    """Run ``talk`` with a client of a service that watches drift, all rows of which are measured."""
    options = replace(options, rate=1e9)
    try:
        return local(packages, talk, routers=(drift(options, **more),))
    finally:
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


async def send(client: Client, rows: NDArray[Any], size: int = 100) -> list[str]:
    """Send rows as the graph takes them; the ids of the answers."""
    ids = []
    for begin in range(0, len(rows), size):
        body = np.ascontiguousarray(rows[begin : begin + size]).tobytes()
        answer = await client.post("/v1/predict", body, {"content-type": "application/octet-stream"})
        assert answer.status == 200, answer.body
        ids.append(answer.json()["id"])
    return ids


async def model_of(client: Client) -> Any:
    """What /v1/drift tells of the only model."""
    answer = await client.get("/v1/drift")
    assert answer.status == 200, answer.body
    (model,) = answer.json()["models"]
    return model
