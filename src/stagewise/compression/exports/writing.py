"""Writing the trained network in every format that the config asks for, each checked against the network."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stagewise.compression.checks.parity import check_export
from stagewise.compression.exports.program import Export, Trained
from stagewise.config.digests import file_sha256
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import Parity
from stagewise.config.targets import build
from stagewise.data.rows import Rows
from stagewise.data.schema import DataSchema
from stagewise.tasks.inference import Inference


def build_exports(targets: Mapping[str, Target]) -> dict[str, Export]:
    """The exports of ``compress.exports``: built first, so that a missing library shows before any work is done.

    Raises:
        ConfigError: a library is not installed, or an argument is wrong.
    """
    return {name: build(target) for name, target in targets.items()}


def write_exports(
    exports: Mapping[str, Export],
    inference: Inference,
    schema: DataSchema,
    graph: Path,
    rows: Rows,
    settings: Parity,
    folder: Path,
    *,
    seed: int,
    threads: int,
    evidence: Path,
) -> dict[str, Any]:
    """Write every export into ``folder``/<name>/ and compare it with the network.

    Args:
        graph: the network as ONNX in float32.
        rows, settings, seed, evidence: as ``check_parity`` takes them; the worst example is worst-<name>.npz.
        folder: made where there are exports.

    Returns:
        By name: ``files`` (bytes and sha256 of each), ``longest`` (see ``Program``), ``parity``; for candidates.json.

    Raises:
        CompressionError: a format cannot hold the network, or does not answer as it does.
    """
    trained, written = Trained(inference, schema, graph, threads), {}
    for name, export in exports.items():
        place = folder / name
        place.mkdir(parents=True)
        program = export(trained, place)
        report = check_export(
            settings,
            inference,
            program.run,
            rows,
            name=name,
            seed=seed,
            evidence=evidence,
            longest=program.longest,
        )
        written[name] = {"files": _files(place), "longest": program.longest, "parity": asdict(report)}
    return written


def _files(folder: Path) -> dict[str, dict[str, int | str]]:
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
