"""Making the candidates: every step once, even where several candidates begin with it, or an earlier run took it."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stagewise.compression.checks.parity import check_parity
from stagewise.compression.export import export_graph
from stagewise.compression.quantization import CalibrationRows
from stagewise.compression.shelf import Shelf, key_of
from stagewise.compression.steps import GraphStep, NetworkStep, Workshop
from stagewise.config.schema.base import Target
from stagewise.config.schema.compress import CompressSection
from stagewise.config.targets import build, find_targets
from stagewise.data.rows import Rows
from stagewise.errors import ConfigError
from stagewise.tasks.inference import Inference
from stagewise.tasks.weights import save_weights

_GRAPH, _NOTES, _WEIGHTS = "model.onnx", "notes.json", "weights.safetensors"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a candidate: as the config names it, and built."""

    target: Target
    does: NetworkStep | GraphStep

    @property
    def is_network(self) -> bool:
        """Whether it changes the network."""
        return isinstance(self.does, NetworkStep)


Steps = tuple[Step, ...]


def build_steps(section: CompressSection) -> dict[str, Steps]:
    """Build the steps of every candidate: a mistake in the config shows before any work is done.

    Raises:
        ConfigError: a step cannot be built, or one that changes the network comes after one that changes the graph.
    """
    return {
        name: _build(name, [made] if isinstance(made, Target) else made) for name, made in section.candidates.items()
    }


def _build(name: str, targets: Sequence[Target]) -> Steps:
    steps = tuple(Step(target, build(target)) for target in targets)
    kinds = [step.is_network for step in steps]
    if kinds != sorted(kinds, reverse=True):
        late = steps[len(kinds) - 1 - kinds[::-1].index(True)]
        raise ConfigError(
            f"{late.target.target.rpartition('.')[2]} comes too late",
            where=f"compress.candidates.{name}",
            why="it changes the network, and a step before it has changed the exported graph",
            fix="put the steps of stagewise.compression.networks first",
        )
    return steps


class Maker:
    """Makes the graph of any candidate.

    Args:
        workshop: what steps work with; its key stands for all that every candidate follows from.
        exported: the graph of the trained network.
        training, validation: rows to calibrate on, and rows on which a changed network is compared with its graph.
        shelf: where what was made is kept.
        evidence: see ``check_parity``.
    """

    def __init__(
        self, workshop: Workshop, exported: Path, training: Rows, validation: Rows, shelf: Shelf, evidence: Path
    ) -> None:
        self._workshop, self._exported = workshop, exported
        self._training, self._validation = training, validation
        self._shelf, self._evidence = shelf, evidence
        self._section = workshop.settings.compress

    def graph(self, steps: Steps) -> Path:
        """The graph after these steps; it stays as it is until the shelf is tidied.

        Raises:
            CompressionError: a step cannot be taken, or the graph does not answer as its network does.
            TrainingError: see ``NetworkStep``.
        """
        if not steps:
            return self._exported
        key = self._key("graph", steps)
        if entry := self._shelf.find(key):
            return entry / _GRAPH
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, _GRAPH)
            notes = self._take(steps, out)
            return self._shelf.keep(key, {_GRAPH: out.read_bytes(), _NOTES: json.dumps(notes).encode()}) / _GRAPH

    def notes(self, steps: Steps) -> list[dict[str, Any]]:
        """How the graph was made: a mapping per step, with the name of its class under ``step``."""
        notes = []
        for end in range(1, len(steps) + 1):
            entry = self._shelf.find(self._key("graph", steps[:end]))
            told = json.loads((entry / _NOTES).read_text(encoding="utf-8")) if entry else {}
            notes.append({"step": steps[end - 1].target.target.rpartition(".")[2], **told})
        return notes

    def _take(self, steps: Steps, out: Path) -> dict[str, Any]:
        """Write the graph after the last step."""
        last = steps[-1].does
        if isinstance(last, NetworkStep):
            self._export(self._network(steps), out)
            return {}
        section = self._section
        name = self._workshop.schema.feature.name
        source = self.graph(steps[:-1])
        return last(source, CalibrationRows(self._training, section.calibration_samples, name), out) or {}

    def _export(self, inference: Inference, out: Path) -> None:
        settings = self._workshop.settings
        export_graph(inference, self._workshop.schema, out, opset=self._section.opset)
        check_parity(
            self._section.parity,
            inference,
            out,
            self._validation,
            seed=settings.seed,
            threads=settings.threads,
            evidence=self._evidence,
        )

    def _network(self, steps: Steps) -> Inference:
        """The network after these steps, all of which change the network."""
        if not steps:
            return self._workshop.teacher
        before, step = self._network(steps[:-1]), steps[-1].does
        key = self._key("network", steps)
        workshop = replace(self._workshop, key=key)
        if not isinstance(step, NetworkStep):
            raise TypeError(f"{step!r} changes no network")
        if entry := self._shelf.find(key):
            return step.restore(before, entry / _WEIGHTS, workshop)
        after = step.run(before, workshop)
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder, _WEIGHTS)
            save_weights(after.get_submodule("network").state_dict(), weights)
            self._shelf.keep(key, {_WEIGHTS: weights.read_bytes()})
        return after

    def _key(self, what: str, steps: Steps) -> str:
        settings = self._workshop.settings
        targets = [step.target.model_dump(mode="json", by_alias=True) for step in steps]
        sections: list[Any] = []
        if any(step.is_network for step in steps) and settings.training:
            sections.append(settings.training.model_dump(mode="json", by_alias=True))
        if not steps[-1].is_network:
            sections.append(self._section.calibration_samples)
        names = [str(name) for _, name in find_targets([targets, sections])]
        if what == "graph":
            names.append(__name__)  # exports and checks; no training follows from it
        code = self._shelf.fingerprint(names)
        return key_of(what, self._workshop.key, targets, sections, code)
