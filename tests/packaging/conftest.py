import shutil
from pathlib import Path

import numpy as np
import pytest
from bundles import CANDIDATES, CLASSES, INGEST, METRICS, PARTS, Inputs, probabilities_of, write_graph, write_json
from safetensors.numpy import save_file
from watched import Stored, run

from stagewise.data.features.entries import ImageEntry
from stagewise.data.schema import ClassTarget, DataSchema, SplitInfo, write_schema
from stagewise.drift.reference import make_reference, write_reference


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    root = tmp_path_factory.mktemp("inputs")
    compressed, raw, reports = root / "compressed", root / "raw", root / "reports"
    for folder in (compressed / "examples", raw, reports / "evaluation" / "figures", reports / "compression"):
        folder.mkdir(parents=True)
    write_graph(compressed / "model.onnx")
    split = SplitInfo(file="x.arrow", rows=3, sha256="0" * 64, class_counts=[1, 1, 1])
    feature = ImageEntry(shape=(6, 4, 1), resize="bilinear", mean=[0.5], std=[0.5])
    target = ClassTarget(classes=CLASSES)
    splits = dict.fromkeys(("train", "validation", "test"), split)
    schema = DataSchema(name="shades", features=[feature], target=target, splits=splits)
    write_schema(schema, compressed)

    shades = {str(number): shade for number, shade in enumerate((3, 120, 250))}
    rows = {number: np.full((6, 4, 1), shade, np.uint8) for number, shade in shades.items()}
    save_file(rows, compressed / "examples" / "rows.safetensors")
    expected = {name: [round(float(value), 6) for value in probabilities_of(shade)] for name, shade in shades.items()}
    write_json({"tolerance": 0.02, "outputs": expected}, compressed / "examples" / "expected.json")
    stored = Stored(np.stack(list(rows.values())), np.arange(3))
    described = {"inputs": [feature.model_dump(mode="json")], "target": target.model_dump(mode="json")}
    (compressed / "reference.json").write_text(write_reference(make_reference(stored, run(compressed), described)))
    write_json(INGEST, raw / "ingest.json")
    write_json(METRICS, reports / "evaluation" / "metrics.json")
    (reports / "evaluation" / "figures" / "classes.csv").write_text(PARTS)
    write_json(CANDIDATES, reports / "compression" / "candidates.json")
    return Inputs(compressed, raw, reports)


@pytest.fixture
def own_inputs(inputs: Inputs, tmp_path: Path) -> Inputs:
    """A copy to change."""
    shutil.copytree(inputs.compressed.parent, tmp_path / "inputs")
    return Inputs(*(tmp_path / "inputs" / name for name in ("compressed", "raw", "reports")))


@pytest.fixture(scope="session")
def packaged(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inputs.package(tmp_path_factory.mktemp("dist") / "shades-1.2.3")


@pytest.fixture
def copy(packaged: Path, tmp_path: Path) -> Path:
    """A copy of the package to damage."""
    return Path(shutil.copytree(packaged, tmp_path / "shades-1.2.3"))
