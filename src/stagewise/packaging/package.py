"""The package stage: everything that a prediction needs, in one verified folder."""

import json
import shutil
from pathlib import Path
from typing import Any

from stagewise.config.schema.package import PackageSettings
from stagewise.data.features import pixels
from stagewise.data.schema import DataSchema, read_schema
from stagewise.errors import PackageError
from stagewise.packaging import predictor
from stagewise.packaging.card import render_card
from stagewise.packaging.manifest import write_manifest

REQUIREMENTS = ("numpy>=2.0", "onnxruntime>=1.24", "pillow>=12.0")
"""All that a package needs, with the oldest versions that it is meant for."""


def package(
    settings: PackageSettings, compressed: Path, raw: Path, reports: Path, stage_keys: dict[str, str], out: Path
) -> None:
    """Write the package into ``out``, which exists and is empty, then verify it and run its self-test.

    Equal inputs give equal bytes.

    Args:
        compressed: models/compressed.
        raw: data/raw, of which only ingest.json is read.
        reports: the folder that holds evaluation/metrics.json and compression/candidates.json.
        stage_keys: digest of all that entered each stage, for the manifest.

    Raises:
        PackageError: an input is missing or damaged, or the package does not predict what it should.
        DataError: models/compressed/schema.json is missing or damaged.
    """
    schema = _describe(read_schema(compressed))
    card = render_card(
        settings,
        schema,
        _read(raw / "ingest.json", "ingest"),
        _read(reports / "evaluation" / "metrics.json", "evaluate"),
        _read(reports / "compression" / "candidates.json", "compress"),
    )
    _copy(compressed / "model.onnx", out / predictor.MODEL)
    _copy_examples(compressed / "examples", out / predictor.EXAMPLES)
    _copy(Path(predictor.__file__), out / "predict.py")
    _copy(Path(pixels.__file__), out / "pixels.py")
    _write(out / predictor.SCHEMA, json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    _write(out / "requirements.txt", "\n".join(REQUIREMENTS) + "\n")
    _write(out / "README.md", card)
    write_manifest(out, settings.name, settings.version, stage_keys)
    _try_out(out)


def _describe(schema: DataSchema) -> dict[str, Any]:
    """schema.json of the package: what goes into the graph, and what comes out."""
    feature, classes = schema.features[0], schema.target.classes
    image = {
        "name": feature.name,
        "dtype": feature.dtype,
        "shape": ["batch", *feature.shape],
        "layout": "NHWC",
        "minimum": feature.minimum,
        "maximum": feature.maximum,
        "resize": feature.resize,
    }
    return {
        "version": 1,
        "task": "image-classification",
        "inputs": [image],
        "outputs": [
            {"name": "label", "dtype": "int64", "shape": ["batch"]},
            {"name": "probabilities", "dtype": "float32", "shape": ["batch", len(classes)]},
        ],
        "classes": classes,
    }


def _copy_examples(source: Path, target: Path) -> None:
    target.mkdir()
    for path in sorted(source.glob("*")):
        _copy(path, target / path.name)


def _copy(source: Path, target: Path) -> None:
    """Copy the content alone: a file of the DVC cache is read-only."""
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise PackageError("a file of the compressed model is missing", where=str(source), fix="dvc repro") from error


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _read(path: Path, stage: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PackageError("a record that the package needs is missing", where=str(path), fix="dvc repro") from error
    except ValueError as error:
        raise PackageError(
            "a record that the package needs is damaged", where=str(path), why=str(error), fix=f"dvc repro -f {stage}"
        ) from error


def _try_out(folder: Path) -> None:
    try:
        predictor.Predictor.load(folder).self_test()
    except predictor.PredictorError as error:
        raise PackageError(
            "the package does not predict what it should", why=str(error), fix="dvc repro -f compress"
        ) from error
