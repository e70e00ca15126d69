"""The package stage: everything that a prediction needs, in one verified folder."""

import importlib
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import onnxruntime
from safetensors import SafetensorError
from safetensors.numpy import load_file

from stagewise.compression.example_files import EXPECTED, ROWS
from stagewise.config.schema.package import PackageSettings
from stagewise.data.schema import DataSchema, read_schema
from stagewise.errors import PackageError
from stagewise.packaging import predictor
from stagewise.packaging.card import render_card
from stagewise.packaging.manifest import write_manifest

REQUIREMENTS = ("numpy>=2.0", "onnxruntime>=1.24")
"""All that every package needs, with the oldest versions that it is meant for; its inputs may add to them."""


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
    inputs, answers = (importlib.import_module(settings.runtime[name]) for name in predictor.RUNTIME)
    schema = _describe(settings, read_schema(compressed), compressed / "model.onnx")
    _copy(compressed / "model.onnx", out / predictor.MODEL)
    examples = _write_examples(compressed / "examples", inputs, schema["inputs"][0], out / predictor.EXAMPLES)
    card = render_card(
        settings,
        schema,
        (inputs.WHAT, answers.OUTPUTS),
        examples,
        _read(raw / "ingest.json", "ingest"),
        _read(reports / "evaluation" / "metrics.json", "evaluate"),
        _read(reports / "compression" / "candidates.json", "compress"),
    )
    for module, name in ((predictor, "predict"), (inputs, "inputs"), (answers, "answers")):
        _copy(Path(str(module.__file__)), out / f"{name}.py")
    _write(out / predictor.SCHEMA, json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    _write(out / "requirements.txt", "\n".join(sorted({*REQUIREMENTS, *inputs.REQUIREMENTS})) + "\n")
    _write(out / "README.md", card)
    write_manifest(out, settings.name, settings.version, stage_keys)
    _try_out(out)


def _describe(settings: PackageSettings, schema: DataSchema, model: Path) -> dict[str, Any]:
    """schema.json of the package: the data's own entries, and what the graph gives."""
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no public base class of its errors
        raise PackageError(
            "the compressed model is missing or damaged", where=str(model), why=str(error), fix="dvc repro -f compress"
        ) from error
    outputs = [
        {"name": output.name, "dtype": _DTYPES[output.type], "shape": output.shape} for output in session.get_outputs()
    ]
    return {
        "version": 2,
        "runtime": settings.runtime,
        "inputs": [feature.model_dump(mode="json") for feature in schema.features],
        "target": schema.target.model_dump(mode="json"),
        "outputs": outputs,
    }


_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32", "tensor(double)": "float64"}


def _write_examples(source: Path, inputs: ModuleType, feature: dict[str, Any], target: Path) -> list[str]:
    """The rows as files that a person can open, and what the model says of each; returns the files' names."""
    target.mkdir()
    expected = _read(source / EXPECTED, "compress")
    try:
        rows = load_file(source / ROWS)
        names = {number: inputs.save_example(rows[number], feature, target / number) for number in sorted(rows)}
    except (OSError, ValueError, SafetensorError) as error:
        raise PackageError(
            "a file of the compressed model is missing or damaged",
            where=str(source / ROWS),
            why=str(error),
            fix="dvc repro -f compress",
        ) from error
    outputs = {names[number]: numbers for number, numbers in expected["outputs"].items()}
    text = json.dumps({**expected, "outputs": outputs}, indent=2)
    _write(target / predictor.EXPECTED, text + "\n")
    return list(outputs)


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
