"""The compress stage: export, check, make candidates, measure, choose."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stagewise.compression.checks.parity import ParityReport, check_chosen, check_parity
from stagewise.compression.checks.runtimes import check_runtimes
from stagewise.compression.choose import Choice, choose, needs_times
from stagewise.compression.cost.latency import measure_latency
from stagewise.compression.cost.timings import read_timings
from stagewise.compression.examples import write_examples
from stagewise.compression.export import export_graph
from stagewise.compression.exports.writing import build_exports, write_exports
from stagewise.compression.make import Maker, Steps, build_steps
from stagewise.compression.measure import Quality, QualityMeter, measure
from stagewise.compression.reports import Evidence, write_choice, write_reports
from stagewise.compression.session import GraphSession
from stagewise.compression.shelf import Shelf, key_of
from stagewise.compression.steps import Workshop
from stagewise.config.digests import file_sha256
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection, CompressSettings
from stagewise.config.targets import build, find_targets
from stagewise.data.rows import Rows, open_rows
from stagewise.data.schema import FILE as SCHEMA
from stagewise.data.schema import DataSchema, read_schema, write_schema
from stagewise.drift.reference import FILE as REFERENCE
from stagewise.drift.reference import make_reference, write_reference
from stagewise.errors import CompressionError, ConfigError
from stagewise.tasks.build import WEIGHTS, load_inference, set_threads

BASELINE = "fp32"
"""Name of the candidate that the others are measured against."""


def compress(
    settings: CompressSettings,
    processed: Path,
    trained: Path,
    out: Path,
    reports: Path,
    *,
    shelf: Shelf,
    work: Path,
    known_times: Path | None = None,
) -> dict[str, Any]:
    """Turn the network in ``trained`` into the best graph within the limits of ``settings.compress``.

    Writes model.onnx, schema.json, choice.json, examples/, candidates/ and, where asked, exports/ into ``out``, and
    what ``write_reports`` names into ``reports``; both exist and are empty. Equal inputs give equal bytes, whatever
    lies on the shelf, but for the times in latency.json and latency.png, and a choice by times that are measured here.

    Args:
        settings: all that the stage gets.
        processed: data/processed.
        trained: models/trained.
        out, reports: see above.
        shelf: where candidates are kept, so that a further one is all that is made and measured.
        work: folder for the checkpoints of candidates that train, and for the worst example of a graph that differs.
        known_times: latency.json of an earlier run.

    Returns:
        The content of candidates.json.

    Raises:
        CompressionError: a step failed, a graph does not answer as its network does, or none is within the limits.
        ConfigError, DataError, TrainingError: an input is missing, damaged, or does not fit the others.
    """
    section = settings.compress
    plans, exports = _plans(section), build_exports(section.exports)
    set_threads(settings.threads)
    bench = _set_up(settings, processed, trained, shelf, work)
    exported = out / "model.onnx"
    parity = bench.export(exported)
    maker = Maker(bench.workshop, exported, bench.training, bench.validation, shelf, bench.evidence)
    paths = _make(maker, plans, out / "candidates")

    qualities = bench.measure(paths, shelf)
    inference, rows = bench.workshop.teacher, bench.validation
    times = measure_latency(section.latency, inference, paths, rows, baseline=BASELINE, known=_read(known_times))
    choice = bench.choose(qualities, times)

    chosen = Path(shutil.copyfile(paths[choice.name], out / "model.onnx"))
    schema, common = bench.workshop.schema, bench.common
    evidence = Evidence(
        section=section,
        figure=bench.meter().name,
        rows=len(rows),
        qualities=qualities,
        choice=choice,
        made={name: maker.notes(steps) for name, steps in plans.items()},
        parity=parity,
        chosen_parity=check_chosen(
            section.parity,
            paths[BASELINE],
            chosen,
            rows,
            inference,
            agreement=qualities[choice.name].agreement,
            **common,
        ),
        runtimes=check_runtimes(chosen, section.runtimes, candidate=choice.name),
        exports=write_exports(
            exports, inference, schema, paths[BASELINE], rows, section.parity, out / "exports", **common
        ),
    )
    write_schema(schema, out)
    write_examples(chosen, rows, out / "examples", threads=settings.threads)
    _write_reference(chosen, rows, schema, settings.threads, out / REFERENCE)
    write_choice(evidence, out / "choice.json")
    summary = write_reports(evidence, times, reports, baseline=BASELINE)
    shelf.tidy()
    return summary


@dataclass(frozen=True, slots=True)
class _Bench:
    """The trained network, and the rows on which everything is tried."""

    workshop: Workshop
    training: Rows
    validation: Rows
    evidence: Path

    @property
    def common(self) -> dict[str, Any]:
        """What every comparison of answers takes."""
        settings = self.workshop.settings
        return {"seed": settings.seed, "threads": settings.threads, "evidence": self.evidence}

    def meter(self) -> QualityMeter:
        """Counts the answers of one candidate."""
        made: QualityMeter = build(self.workshop.settings.quality, schema=self.workshop.schema)
        return made

    def export(self, out: Path) -> ParityReport:
        """Write the trained network as a graph, and compare the two."""
        section, inference = self.workshop.settings.compress, self.workshop.teacher
        export_graph(inference, self.workshop.schema, out, opset=section.opset)
        return check_parity(section.parity, inference, out, self.validation, **self.common)

    def measure(self, paths: dict[str, Path], shelf: Shelf) -> dict[str, Quality]:
        """Figures of every candidate, of which those on the shelf are not measured again."""
        settings = self.workshop.settings
        confidence, quality = settings.compress.confidence, settings.quality.model_dump(mode="json", by_alias=True)
        code = shelf.fingerprint([measure.__module__, settings.quality.target])
        common = [self.workshop.key, quality, code, confidence, file_sha256(paths[BASELINE])]
        keys = {name: key_of("quality", common, file_sha256(path)) for name, path in paths.items()}
        known = {name: entry for name, key in keys.items() if (entry := shelf.find(key))}
        new = {name: path for name, path in paths.items() if name not in known}
        if new:
            every = {BASELINE: paths[BASELINE], **new}
            measured = measure(
                every, BASELINE, self.validation, self.meter, threads=settings.threads, confidence=confidence
            )
            for name in new:
                text = json.dumps(asdict(measured[name]))
                known[name] = shelf.keep(keys[name], {"quality.json": text.encode()})
        return {name: Quality(**json.loads((known[name] / "quality.json").read_text())) for name in paths}

    def choose(self, qualities: dict[str, Quality], times: dict[str, Any]) -> Choice:
        """By the rule of the config; by times only where it asks for them."""
        section = self.workshop.settings.compress
        deciding = None
        if needs_times(section):
            deciding = read_timings(section.timings, qualities) if section.timings else times["candidates"]
        return choose(
            section,
            qualities,
            BASELINE,
            figure=self.meter().name,
            rows=len(self.validation),
            times=deciding,
        )


def _plans(section: CompressSection) -> dict[str, Steps]:
    if BASELINE not in section.candidates:
        raise ConfigError(
            f"compress.candidates has no {BASELINE}",
            where="compress.candidates",
            why="it is what the others are measured against, and what is kept when they lose too much",
            fix=f"add {BASELINE}: {{_target_: stagewise.compression.candidates.float32.Float32}}",
        )
    return build_steps(section)


def _set_up(settings: CompressSettings, processed: Path, trained: Path, shelf: Shelf, work: Path) -> _Bench:
    schema = read_schema(processed)
    training, validation = (_rows(settings.rows, processed, schema, split) for split in ("train", "validation"))
    inference = load_inference(settings, schema, trained)
    key = _base_key(settings, processed, trained, shelf)
    return _Bench(Workshop(settings, schema, processed, work, key, inference), training, validation, work / "parity")


def _base_key(settings: CompressSettings, processed: Path, trained: Path, shelf: Shelf) -> str:
    """Stands for all that every candidate follows from.

    The data (by the digests in the schema), the trained weights, the parts of the config that no candidate has of its
    own, and the code behind them.
    """
    common = settings.model_dump(mode="json", by_alias=True, exclude={"compress", "training", "quality"})
    own = settings.compress.model_dump(mode="json", include={"opset", "parity"})
    digests = [file_sha256(processed / SCHEMA), file_sha256(trained / WEIGHTS)]
    return key_of(common, own, digests, shelf.fingerprint(name for _, name in find_targets(common)))


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


def _make(maker: Maker, plans: dict[str, Steps], folder: Path) -> dict[str, Path]:
    """Write the graph of every candidate into a new folder."""
    folder.mkdir()
    return {name: Path(shutil.copyfile(maker.graph(steps), folder / f"{name}.onnx")) for name, steps in plans.items()}


def _write_reference(graph: Path, rows: Rows, schema: DataSchema, threads: int, file: Path) -> None:
    """What the service compares its traffic with: rows that the model was not trained on, and what it says of them."""
    described = {
        "inputs": [feature.model_dump(mode="json") for feature in schema.features],
        "target": schema.target.model_dump(mode="json"),
    }
    reference = make_reference(rows, GraphSession(graph, threads), described)
    file.write_text(write_reference(reference), encoding="utf-8", newline="\n")


def _read(path: Path | None) -> dict[str, Any] | None:
    """An earlier latency.json; None if there is none that can be read."""
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path else None
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) else None
