"""What the compress stage tells: JSON, a table for DVC, pictures."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stagewise.compression.checks.parity import ParityReport
from stagewise.compression.checks.runtimes import RuntimeReport
from stagewise.compression.choose import Choice
from stagewise.compression.measure import Quality, write_frontier
from stagewise.compression.pictures.frontier import draw_frontier, draw_speed
from stagewise.compression.pictures.points import Point
from stagewise.compression.pictures.scatter import BEST
from stagewise.config.schema.compress import CompressSection

_LIMITS = ("max_drop", "max_class_drop", "min_agreement", "max_bytes", "max_latency_ms", "max_memory_mb")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was found out."""

    section: CompressSection
    figure: str
    """Name of the score."""
    rows: int
    """Validation rows."""
    qualities: dict[str, Quality]
    choice: Choice
    made: dict[str, list[dict[str, Any]]]
    """How each candidate was made, step by step."""
    parity: ParityReport
    """Of the exported graph with the network."""
    chosen_parity: ParityReport
    """Of the chosen candidate with the exported graph."""
    runtimes: list[RuntimeReport]
    exports: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """The content of candidates.json."""
        candidates = {
            name: {**asdict(item), "fits": self.choice.fits[name], "made": self.made[name]}
            for name, item in self.qualities.items()
        }
        return {
            **self.rule(),
            "figure": self.figure,
            "rows": self.rows,
            "parity": asdict(self.parity),
            "chosen_parity": asdict(self.chosen_parity),
            "runtimes": [asdict(report) for report in self.runtimes],
            "exports": self.exports,
            "candidates": candidates,
            "verdicts": self.choice.verdicts,
        }

    def rule(self) -> dict[str, Any]:
        """What was chosen, and by which objective and limits."""
        return {
            "chosen": self.choice.name,
            "objective": self.section.objective,
            "limits": self.limits(),
            "confidence": self.section.confidence,
        }

    def limits(self) -> dict[str, float]:
        """Those that are set."""
        return {name: limit for name in _LIMITS if (limit := getattr(self.section, name)) is not None}


def write_choice(evidence: Evidence, path: Path) -> None:
    """Write choice.json, which lies beside the model."""
    write_json({**evidence.rule(), "verdicts": evidence.choice.verdicts}, path)


def write_reports(evidence: Evidence, times: Mapping[str, Any], folder: Path, *, baseline: str) -> dict[str, Any]:
    """Write candidates.json, frontier.csv and frontier.png; and, never the same twice, latency.json and latency.png.

    Returns:
        The content of candidates.json.
    """
    summary = evidence.summary()
    write_json(summary, folder / "candidates.json")
    write_frontier(evidence.qualities, evidence.choice.name, folder / "frontier.csv")
    write_json(dict(times), folder / "latency.json")
    drawn: dict[str, Any] = {"figure": evidence.figure, "limits": evidence.limits(), "baseline": baseline}
    draw_frontier(_points(evidence, {}), folder / "frontier.png", **drawn)
    draw_speed(_points(evidence, times["candidates"]), folder / "latency.png", **drawn)
    return summary


def write_json(value: dict[str, Any], path: Path) -> None:
    """Write JSON for people and programs."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _points(evidence: Evidence, times: Mapping[str, Any]) -> list[Point]:
    size = evidence.section.latency.batch_sizes[0]
    return [
        Point(
            name,
            item.bytes,
            item.compressed_bytes,
            item.score,
            item.drop,
            max(item.drop_low, item.score + item.drop - BEST),
            item.drop_high,
            fits=evidence.choice.fits[name],
            chosen=name == evidence.choice.name,
            latency_ms=times[name]["batch_sizes"][str(size)]["p50_ms"] / size if name in times else None,
        )
        for name, item in evidence.qualities.items()
    ]
