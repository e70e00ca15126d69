"""The compress stage: export, check, quantise, measure, choose."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stagewise.compression.choose import choose
from stagewise.compression.examples import write_examples
from stagewise.compression.export import export_graph
from stagewise.compression.latency import measure_latency
from stagewise.compression.measure import QualityMeter, measure, write_frontier
from stagewise.compression.parity import check_parity
from stagewise.compression.quantization import CalibrationRows
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection, CompressSettings
from stagewise.config.targets import build
from stagewise.data.rows import Rows, open_rows
from stagewise.data.schema import DataSchema, read_schema, write_schema
from stagewise.errors import CompressionError, ConfigError
from stagewise.tasks.build import load_inference, set_threads

BASELINE = "fp32"
"""Name of the candidate that the others are measured against."""

Candidate = Callable[[Path, CalibrationRows, Path], None]
"""Called with the exported graph, rows to calibrate on, and the path to write."""

EVIDENCE = Path(".stagewise/parity")
"""Where the worst example goes when network and graph differ."""


def compress(
    settings: CompressSettings,
    processed: Path,
    trained: Path,
    out: Path,
    reports: Path,
    *,
    evidence: Path = EVIDENCE,
) -> dict[str, Any]:
    """Turn the network in ``trained`` into the smallest graph that keeps its validation score.

    Writes model.onnx, schema.json, choice.json, examples/ and candidates/ into ``out``, and
    candidates.json, frontier.csv and latency.json into ``reports``; both exist and are empty. Equal
    inputs give equal bytes, but for the times in latency.json.

    Returns:
        The content of candidates.json.

    Raises:
        CompressionError: export or quantisation failed, or the graph does not answer as the network does.
        ConfigError, DataError, TrainingError: an input is missing, damaged, or does not fit the others.
    """
    section = settings.compress
    candidates = _build_candidates(section)
    set_threads(settings.threads)
    schema = read_schema(processed)
    validation = _rows(settings.rows, processed, schema, "validation")
    inference = load_inference(settings, schema, trained)

    exported = out / "model.onnx"
    export_graph(inference, schema, exported, opset=section.opset)
    parity = check_parity(
        section.parity,
        inference,
        exported,
        validation,
        seed=settings.seed,
        threads=settings.threads,
        evidence=evidence,
    )
    training = _rows(settings.rows, processed, schema, "train")
    paths = {name: out / "candidates" / f"{name}.onnx" for name in candidates}
    (out / "candidates").mkdir()
    for name, candidate in candidates.items():
        calibration = CalibrationRows(training, section.calibration_samples, schema.feature.name)
        candidate(exported, calibration, paths[name])

    def meter() -> QualityMeter:
        made: QualityMeter = build(settings.quality, schema=schema)
        return made

    qualities = measure(paths, BASELINE, validation, meter, threads=settings.threads)
    figure = meter().name
    choice = choose(qualities, BASELINE, section.max_drop, figure)

    shutil.copyfile(paths[choice.name], out / "model.onnx")
    write_schema(schema, out)
    write_examples(out / "model.onnx", validation, out / "examples", threads=settings.threads)
    summary: dict[str, Any] = {
        "chosen": choice.name,
        "figure": figure,
        "max_drop": section.max_drop,
        "rows": len(validation),
        "parity": asdict(parity),
        "candidates": {name: asdict(item) for name, item in qualities.items()},
        "verdicts": choice.verdicts,
    }
    _write_json({key: summary[key] for key in ("chosen", "max_drop", "verdicts")}, out / "choice.json")
    _write_json(summary, reports / "candidates.json")
    write_frontier(qualities, choice.name, reports / "frontier.csv")
    _write_json(measure_latency(section.latency, inference, paths, validation), reports / "latency.json")
    return summary


def _rows(reader: Target, processed: Path, schema: DataSchema, split: str) -> Rows:
    path = processed / schema.splits[split].file
    rows = open_rows(reader, processed, schema, split)
    if not len(rows):
        raise CompressionError(
            f"there are no {split} rows",
            where=str(path),
            why="candidates are calibrated on training rows and compared on validation rows",
            fix="set data.split.validation above 0, then dvc repro",
        )
    return rows


def _build_candidates(section: CompressSection) -> dict[str, Candidate]:
    """Build every candidate first: a mistake in the config shows before any work is done."""
    if BASELINE not in section.candidates:
        raise ConfigError(
            f"compress.candidates has no {BASELINE}",
            where="compress.candidates",
            why="it is what the others are measured against, and what is kept when they lose too much",
            fix=f"add {BASELINE}: {{_target_: stagewise.compression.candidates.float32.Float32}}",
        )
    return {name: build(target) for name, target in section.candidates.items()}


def _write_json(value: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
