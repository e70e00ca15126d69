"""The rule by which one candidate becomes the model: hard limits, then one objective."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stagewise.compression.measure import Quality
from stagewise.config.schema.compress import CompressSection
from stagewise.errors import CompressionError, ConfigError

Times = dict[str, Any]
"""Figures of one candidate as latency.json holds them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen candidate, and one sentence per candidate that says why or why not."""

    name: str
    fits: dict[str, bool]
    """Whether each candidate is within all limits."""
    verdicts: dict[str, str]


def needs_times(section: CompressSection) -> bool:
    """Whether a limit or the objective is something that is never the same twice."""
    limits = (section.max_latency_ms, section.max_memory_mb)
    return section.objective in ("latency", "throughput", "memory") or any(limit is not None for limit in limits)


def choose(
    section: CompressSection,
    qualities: dict[str, Quality],
    baseline: str,
    *,
    figure: str,
    rows: int,
    times: dict[str, Times] | None = None,
) -> Choice:
    """Choose the best candidate by ``section.objective`` of those within all limits of ``section``.

    Of equally good ones the smaller wins, then the more accurate, then the one whose name comes first. The baseline
    loses nothing against itself, so only limits of size, time and memory can refuse it.

    Args:
        section: limits and objective.
        qualities: of all candidates.
        baseline: name of the one that the others are measured against.
        figure: name of the score, for the sentences.
        rows: that were measured, for the sentences.
        times: of all candidates; needed where ``needs_times``.

    Raises:
        CompressionError: none is within the limits, and ``section.if_none_fits`` is "fail".
        ConfigError: a limit is about something that this task does not measure.
    """
    if section.max_class_drop is not None and "worst_class_drop" not in qualities[baseline].details:
        raise ConfigError(
            "there are no classes whose loss could be limited",
            where="compress.max_class_drop",
            fix="leave it out: it is for classifiers",
        )
    misses = {
        name: list(_misses(section, item, (figure, rows), (times or {}).get(name), is_baseline=name == baseline))
        for name, item in qualities.items()
    }
    fitting = [name for name in qualities if not misses[name]]
    if not fitting and section.if_none_fits == "fail":
        raise CompressionError(
            "no candidate is within the limits",
            where="compress",
            details=[f"{name}: {'; '.join(missed)}" for name, missed in misses.items()],
            fix="raise the limit, add candidates to compress.candidates, or set compress.if_none_fits=keep_fp32",
        )
    worth, unit = _objective(section, qualities, times or {})
    ranked = sorted(
        fitting or [baseline], key=lambda name: (worth(name), qualities[name].bytes, -qualities[name].score, name)
    )
    verdicts = {
        name: _verdict(name, ranked, misses[name], (_BEST[section.objective], worth, unit), _loss(figure, item))
        for name, item in qualities.items()
    }
    return Choice(ranked[0], {name: not misses[name] for name in qualities}, verdicts)


def _misses(
    section: CompressSection, item: Quality, words: tuple[str, int], times: Times | None, *, is_baseline: bool
) -> Iterator[str]:
    """A sentence per limit that a candidate does not keep: which, and by how much."""
    if not is_baseline:
        yield from _quality_misses(section, item, words)
    if section.max_bytes is not None and item.bytes > section.max_bytes:
        yield f"{item.bytes:,} bytes are {item.bytes - section.max_bytes:,} more than the allowed {section.max_bytes:,}"
    if times is None:
        return
    latency, memory = _milliseconds(section, times), times["peak_memory_bytes"] / 1e6
    if section.max_latency_ms is not None and latency > section.max_latency_ms:
        over = latency - section.max_latency_ms
        yield f"{latency:.4g} ms are {over:.4g} more than the allowed {section.max_latency_ms:g}"
    if section.max_memory_mb is not None and memory > section.max_memory_mb:
        over = memory - section.max_memory_mb
        yield f"{memory:.4g} MB of memory are {over:.4g} more than the allowed {section.max_memory_mb:g}"


def _quality_misses(section: CompressSection, item: Quality, words: tuple[str, int]) -> Iterator[str]:
    figure, rows = words
    if item.drop > section.max_drop:
        yield f"{_loss(figure, item)} is more than the allowed {section.max_drop:g}"
    elif item.drop_high > section.max_drop:
        yield (
            f"{_loss(figure, item)} may be {item.drop_high:.4f} as far as {rows:,} rows tell "
            f"({section.confidence:.0%} sure), more than the allowed {section.max_drop:g}"
        )
    if section.min_agreement is not None and item.agreement < section.min_agreement:
        yield f"it agrees with fp32 in {item.agreement:.4f} of the rows, less than the asked {section.min_agreement:g}"
    fall = item.details.get("worst_class_drop", 0.0)
    if section.max_class_drop is not None and float(fall) > section.max_class_drop:
        worst = item.details["worst_class"]
        yield f"recall of {worst} falls by {fall:.4f}, more than the allowed {section.max_class_drop:g}"


def _objective(
    section: CompressSection, qualities: dict[str, Quality], times: dict[str, Times]
) -> tuple[Callable[[str], float], str]:
    """What is to be small of a candidate, and how a difference of it is told."""
    last = str(section.latency.batch_sizes[-1])
    table: dict[str, tuple[Callable[[str], float], str]] = {
        "bytes": (lambda name: qualities[name].bytes, "{:,.0f} bytes larger"),
        "score": (lambda name: -qualities[name].score, "{:.4f} worse"),
        "latency": (lambda name: _milliseconds(section, times[name]), "{:.4g} ms slower"),
        "throughput": (
            lambda name: -times[name]["batch_sizes"][last]["rows_per_second"],
            "{:,.0f} rows per second fewer",
        ),
        "memory": (lambda name: times[name]["peak_memory_bytes"] / 1e6, "{:.4g} MB more memory"),
    }
    return table[section.objective]


def _milliseconds(section: CompressSection, times: Times) -> float:
    return float(times["batch_sizes"][str(section.latency.batch_sizes[0])]["p50_ms"])


_BEST = {
    "bytes": "smallest",
    "score": "most accurate",
    "latency": "fastest",
    "throughput": "one with the highest throughput",
    "memory": "one that needs least memory",
}


def _verdict(
    name: str, ranked: list[str], missed: list[str], objective: tuple[str, Callable[[str], float], str], loss: str
) -> str:
    best, worth, unit = objective
    chosen = ranked[0]
    if name == chosen and missed:
        return f"kept, for no candidate is within the limits: {'; '.join(missed)}"
    if name == chosen:
        return f"chosen: the {best} of the {len(ranked)} within the limits ({loss})"
    if missed:
        return f"refused: {'; '.join(missed)}"
    behind = worth(name) - worth(chosen)
    if behind:
        return f"not chosen: {unit.format(behind)} than the chosen one ({loss})"
    return f"not chosen: as good as the chosen one, and no smaller ({loss})"


def _loss(figure: str, item: Quality) -> str:
    return f"{figure} drop {item.drop:.4f}"
