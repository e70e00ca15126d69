import hashlib

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from stagewise.compression.measure import measure, write_frontier
from stagewise.data.features.entries import ImageEntry
from stagewise.data.layout import Layout
from stagewise.data.schema import ClassTarget, DataSchema
from stagewise.data.storage import SplitReader, SplitWriter
from stagewise.metrics.paired import tango_interval
from stagewise.tasks.classification.quality import Quality

TARGETS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
ANSWERS = {  # what each graph says of the ten rows
    "fp32": [0, 0, 0, 1, 1, 1, 2, 2, 2, 0],
    "small": [0, 0, 0, 0, 2, 1, 2, 2, 2, 0],
    "bad": [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
}


def write_table(answers: list[int], certainty: float, path) -> None:
    """A graph that looks up the answer of an image that holds its own row number."""
    probabilities = np.full((len(answers), 3), (1 - certainty) / 2, np.float32)
    probabilities[np.arange(len(answers)), answers] = certainty
    nodes = [
        helper.make_node("Cast", ["image"], ["number"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["number", "flat"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "table",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 1, 1, 1])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3]),
        ],
        [onnx.numpy_helper.from_array(probabilities, "table"), onnx.numpy_helper.from_array(np.array([-1]), "flat")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    with SplitWriter(folder / "rows.arrow", Layout(np.dtype(np.uint8), (1, 1, 1)), 4) as writer:
        writer.write(np.arange(10, dtype=np.uint8).reshape(-1, 1, 1, 1), TARGETS, [str(row) for row in range(10)])
    paths = {}
    for name, answers in ANSWERS.items():
        paths[name] = folder / f"{name}.onnx"
        write_table(answers, 0.5 if name == "small" else 0.8, paths[name])
    feature = ImageEntry(shape=(1, 1, 1), resize="area", mean=[0.0], std=[1.0])
    schema = DataSchema(name="x", features=[feature], target=ClassTarget(classes=["x", "y", "z"]), splits={})
    rows = SplitReader(folder / "rows.arrow", (1, 1, 1))
    measured = measure(paths, "fp32", rows, lambda: Quality(schema), threads=1, confidence=0.95, batch_size=3)
    return paths, measured, rows, schema


@pytest.mark.parametrize(
    ("name", "accuracy", "drop", "agreement", "worst", "fall"),
    [
        ("fp32", 0.8, 0.0, 1.0, "x", 0.0),
        ("small", 0.8, 0.0, 0.8, "y", 0.5),
        ("bad", 0.0, 0.8, 0.2, "y", 1.0),
    ],
)
def test_figures_of_known_answers(measured, name, accuracy, drop, agreement, worst, fall):
    item = measured[1][name]
    assert (item.score, item.drop, item.agreement) == (accuracy, drop, agreement)
    assert item.details == {"worst_class": worst, "worst_class_drop": fall}


@pytest.mark.parametrize(("name", "gained", "lost"), [("small", 1, 1), ("bad", 0, 8)], ids=["small", "bad"])
def test_the_bounds_of_the_drop_are_those_of_paired_answers(measured, name, gained, lost):
    low, high = tango_interval(lost, gained, 10, 0.05)
    item = measured[1][name]
    assert (item.drop_low, item.drop_high) == (round(low, 6), round(high, 6))
    assert (measured[1]["fp32"].drop_low, measured[1]["fp32"].drop_high) == (0, 0)


def test_without_a_confidence_the_drop_is_taken_as_it_is(measured):
    paths, rows, schema = measured[0], measured[2], measured[3]
    item = measure(paths, "fp32", rows, lambda: Quality(schema), threads=1, confidence=None)["bad"]
    assert item.drop_low == item.drop == item.drop_high


def test_differences_bytes_and_digests(measured):
    paths, qualities = measured[:2]
    assert qualities["fp32"].largest_difference == 0
    # Where the label changed from one class to another: 0.8 -> 0.25 at most.
    assert qualities["small"].largest_difference == pytest.approx(0.55, abs=1e-5)
    for name, path in paths.items():
        assert qualities[name].bytes == path.stat().st_size
        packed = pa.Codec("zstd", compression_level=19).compress(path.read_bytes())
        assert qualities[name].compressed_bytes == len(packed) < path.stat().st_size
        assert qualities[name].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert qualities["fp32"].size_ratio == 1


def test_the_frontier_lists_the_smallest_first(measured, tmp_path):
    write_frontier(measured[1], "small", tmp_path / "frontier.csv")
    head, *lines = (tmp_path / "frontier.csv").read_text().splitlines()
    assert head == "candidate,bytes,compressed_bytes,score,drop_high,agreement,chosen"
    rows = [line.split(",") for line in lines]
    assert [int(row[1]) for row in rows] == sorted(int(row[1]) for row in rows)
    assert {row[0]: row[-1] for row in rows} == {"fp32": "0", "small": "1", "bad": "0"}
