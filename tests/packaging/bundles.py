"""A classifier of shades of grey by mean brightness, and what the package stage reads beside it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from brightness import nearest_level
from onnx import TensorProto, helper

from stagewise.config.schema.package import PackageSection, PackageSettings
from stagewise.packaging.package import package

CLASSES = ["black", "grey", "white"]
LEVELS = [0.0, 127.0, 255.0]
RUNTIME = {"inputs": "image", "answers": "classes"}
KEYS = {"train": "a" * 64, "ingest": "b" * 64}
LIBRARIES = {
    "train": {"python": "3.11", "torch": "2.13.0+cpu", "numpy": "2.4.6"},
    "ingest": {"python": "3.11", "pillow": "13.0.0"},
}
STAGES = {
    **{name: {"key": key, "libraries": LIBRARIES[name]} for name, key in KEYS.items()},
    "evaluate": {"key": "e" * 64, "config": {"evaluate": {"confidence": 0.95}}, "libraries": {}},
}


@dataclass(frozen=True)
class Inputs:
    """What the package stage reads."""

    compressed: Path
    raw: Path
    reports: Path

    def package(self, out: Path, **changes) -> Path:
        out.mkdir(parents=True)
        section = PackageSection(**{"authors": ["Ada"], "limitations": "Not for diagnosis.", **changes})
        runtime = {name: f"stagewise.runtime.{name_of}" for name, name_of in RUNTIME.items()}
        settings = PackageSettings(name="shades", version="1.2.3", package=section, runtime=runtime, shipped={})
        package(settings, self.compressed, self.raw, self.reports, STAGES, out)
        return out


def write_graph(path: Path, channels: int = 1, classes: int = 3) -> None:
    """A classifier by mean brightness: a real graph, made without any training."""
    levels = np.array((LEVELS * 2)[:classes], np.float32)
    nodes = nearest_level("image")
    weights = {
        "axes": np.array([1, 2, 3]),
        "column": np.array([-1, 1]),
        "levels": levels,
        "temperature": np.array(-30, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "shades",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 6, 4, channels])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes]),
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def probabilities_of(mean: float) -> np.ndarray:
    """What the graph gives for an image of this brightness."""
    weights = np.exp(-np.abs(mean - np.array(LEVELS)) / 30)
    return weights / weights.sum()


def write_json(value, path: Path) -> None:
    path.write_text(json.dumps(value, indent=2))


INGEST = {
    "version": 1,
    "name": "shades",
    "license": "CC0-1.0",
    "citation": "A. Painter,\n  Fifty shades (1899)",
    "files": [{"name": "shades.zip", "urls": ["https://example.org/shades.zip"], "bytes": 7, "sha256": "c" * 64}],
}
METRICS = {
    "rows": 40,
    "accuracy": 0.975,
    "accuracy_low": 0.871,
    "accuracy_high": 0.9956,
    "f1_macro": 0.9731,
    "f1_grey": 0.95,
}
PARTS = """\
class,rows,recall,recall_low,recall_high,f1,auroc
black,10,1.0,0.72,1.0,1.0,
grey,20,0.95,0.76,0.99,0.95,0.9
white,10,1.0,0.72,1.0,nan,1.0
"""
CANDIDATES = {
    "chosen": "int8_static",
    "figure": "accuracy",
    "max_drop": 0.005,
    "rows": 30,
    "parity": {"compared": 276, "label_agreement": 1.0, "largest_difference": 1e-06},
    "candidates": {
        name: {
            "score": 0.9667,
            "drop": drop,
            "agreement": 0.99,
            "details": {"worst_class": "grey", "worst_class_drop": drop},
            "largest_difference": 0.01,
            "bytes": size,
            "size_ratio": size / 4000,
            "sha256": "d" * 64,
        }
        for name, drop, size in (("fp32", 0.0, 4000), ("int8_static", 0.0033, 1200))
    },
    "verdicts": {"fp32": "not chosen: larger", "int8_static": "chosen: smallest"},
}
