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
from stagewise.drift.reference import FILE as REFERENCE
from stagewise.errors import PackageError
from stagewise.packaging import integrity, predictor
from stagewise.packaging.contents import io_schema, provenance, sbom
from stagewise.packaging.contents.card import render_card
from stagewise.packaging.contents.evidence import Evidence, read_parts
from stagewise.packaging.manifest import write_manifest

REQUIREMENTS = ("numpy>=2.0", "onnxruntime>=1.24")
"""All that every package needs, with the oldest versions that it is meant for; its inputs may add to them."""


def package(
    settings: PackageSettings, compressed: Path, raw: Path, reports: Path, stages: dict[str, dict[str, Any]], out: Path
) -> None:
    """Write the package into ``out``, which exists and is empty, then verify it and run its self-test.

    Equal inputs give equal bytes.

    Args:
        compressed: models/compressed.
        raw: data/raw, of which only ingest.json is read.
        reports: the folder that holds evaluation/metrics.json, evaluation/figures/ and compression/candidates.json.
        stages: build/<stage>.yaml, by stage: the ``key`` of each, and its ``libraries``.

    Raises:
        PackageError: an input is missing or damaged, or the package does not predict what it should.
        DataError: models/compressed/schema.json is missing or damaged.
    """
    inputs, answers = (importlib.import_module(settings.runtime[name]) for name in predictor.RUNTIME)
    schema = _describe(settings, read_schema(compressed), compressed / "model.onnx")
    evidence = _evidence(raw, reports, stages)
    requirements = sorted({*REQUIREMENTS, *inputs.REQUIREMENTS})
    _copy(compressed / "model.onnx", out / predictor.MODEL)
    _copy(compressed / REFERENCE, out / REFERENCE)
    examples = _write_examples(compressed / "examples", inputs, schema["inputs"][0], out / predictor.EXAMPLES)
    for module, name in ((predictor, "predict"), (integrity, "integrity"), (inputs, "inputs"), (answers, "answers")):
        _copy(Path(str(module.__file__)), out / f"{name}.py")
    _write_json(out / predictor.SCHEMA, schema)
    _write_json(out / io_schema.FILE, io_schema.io_schema(settings.name, settings.version, schema))
    _write_json(out / "config.json", _hub_config(schema))
    _write(out / "requirements.txt", "\n".join(requirements) + "\n")
    _write(out / "README.md", render_card(settings, schema, (inputs.WHAT, answers.OUTPUTS), examples, evidence))
    _write_json(out / sbom.FILE, sbom.sbom(settings, schema, evidence, requirements, out / predictor.MODEL))
    _write_json(out / provenance.FILE, provenance.provenance(settings.name, settings.version, evidence, out))
    write_manifest(out, settings.name, settings.version, evidence.stage_keys())
    _try_out(out)


def _evidence(raw: Path, reports: Path, stages: dict[str, dict[str, Any]]) -> Evidence:
    figures = reports / "evaluation" / "figures"
    try:
        parts, part = read_parts(figures)
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise PackageError(
            "a record that the package needs is damaged",
            where=str(figures),
            why=repr(error),
            fix="dvc repro -f evaluate",
        ) from error
    return Evidence(
        ingest=_read(raw / "ingest.json", "ingest"),
        metrics=_read(reports / "evaluation" / "metrics.json", "evaluate"),
        compression=_read(reports / "compression" / "candidates.json", "compress"),
        parts=parts,
        part=part,
        stages=stages,
    )


def _hub_config(schema: dict[str, Any]) -> dict[str, Any]:
    """config.json, by which the Hugging Face hub tells a model and its labels."""
    classes = schema["target"].get("classes")
    config: dict[str, Any] = {"model_type": "onnx"}
    if classes:
        config["id2label"] = {str(number): name for number, name in enumerate(classes)}
        config["label2id"] = {name: number for number, name in enumerate(classes)}
    return config


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
    _write_json(target / predictor.EXPECTED, {**expected, "outputs": outputs})
    return list(outputs)


def _copy(source: Path, target: Path) -> None:
    """Copy the content alone: a file of the DVC cache is read-only."""
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise PackageError("a file of the compressed model is missing", where=str(source), fix="dvc repro") from error


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_json(path: Path, value: Any) -> None:
    _write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


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
