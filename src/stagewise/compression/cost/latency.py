"""How fast each candidate is and how much memory it needs, beside the network in PyTorch; never the same twice."""

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stagewise.compression.cost.memory import peak_memory
from stagewise.compression.session import GraphSession
from stagewise.config.digests import file_sha256
from stagewise.config.processor import processor
from stagewise.config.schema.compress import Latency
from stagewise.data.rows import Rows

EAGER = "pytorch"
"""Name of the network before compression, run operator by operator."""

Runner = Callable[[NDArray[Any]], Any]
Entry = dict[str, Any]


def measure_latency(
    settings: Latency,
    inference: nn.Module,
    paths: dict[str, Path],
    rows: Rows,
    *,
    baseline: str = "fp32",
    known: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Time graphs on batches of real rows, in turns with network and baseline, so that all meet the same machine.

    A graph that ``known`` has figures of, by its SHA-256, from this machine with these settings and beside this very
    baseline, is not timed again. Network and baseline are, beside every new graph; if there is none, nothing is timed.

    Args:
        settings: batch sizes, repeats, threads.
        inference: the network that ``baseline`` was exported from.
        paths: graph of each candidate.
        rows: at least one.
        baseline: name of the graph that speed is compared with.
        known: the content of an earlier latency.json, of any form.

    Returns:
        The content of latency.json: ``machine``, ``settings``, and under ``candidates``, first for the network and then
        for each graph, ``sha256`` (for the network, that of the baseline), ``batch_sizes`` (per size ``p50_ms``,
        ``p95_ms``, ``rows_per_second`` at the median, and ``speedup``: how many times as fast as the baseline in the
        same turns), and for graphs ``peak_memory_bytes`` at the largest batch.

    Raises:
        CompressionError: onnxruntime cannot run a graph.
    """
    digests = {name: file_sha256(path) for name, path in paths.items()}
    head = {"machine": _machine(), "settings": settings.model_dump(mode="json")}
    entries = _reusable(head, known, digests, baseline)
    new = {name: path for name, path in paths.items() if name not in entries}
    if new or EAGER not in entries:
        timed = {baseline: paths[baseline], **new}
        figures = _time(settings, inference, timed, rows, baseline)
        largest = _batch(rows, max(settings.batch_sizes))
        entries[EAGER] = {"sha256": digests[baseline], "batch_sizes": figures[EAGER]}
        for name, path in timed.items():
            memory = peak_memory(path, largest, settings.threads)
            entries[name] = {"sha256": digests[name], "batch_sizes": figures[name], "peak_memory_bytes": memory}
    return {**head, "candidates": {name: entries[name] for name in (EAGER, *paths)}}


def _reusable(
    head: dict[str, Any], known: dict[str, Any] | None, digests: dict[str, str], baseline: str
) -> dict[str, Entry]:
    """Entries of ``known`` that hold for the graphs as they are now."""
    if known is None or any(known.get(part) != content for part, content in head.items()):
        return {}
    sizes = {str(size) for size in head["settings"]["batch_sizes"]}
    content = known.get("candidates")
    before: dict[str, Entry] = content if isinstance(content, dict) else {}
    whole = {name: entry for name, entry in before.items() if _is_whole(entry, sizes)}
    # Speed is told against the baseline: beside another one the figures mean something else.
    if not all(whole.get(name, {}).get("sha256") == digests[baseline] for name in (EAGER, baseline)):
        return {}
    by_digest = {entry["sha256"]: entry for entry in whole.values() if "peak_memory_bytes" in entry}
    reused = {name: by_digest[digest] for name, digest in digests.items() if digest in by_digest}
    return {EAGER: whole[EAGER], **reused}


def _is_whole(entry: Any, sizes: set[str]) -> bool:
    return isinstance(entry, dict) and "sha256" in entry and set(entry.get("batch_sizes", ())) == sizes


def _time(
    settings: Latency, inference: nn.Module, paths: dict[str, Path], rows: Rows, baseline: str
) -> dict[str, dict[str, dict[str, float]]]:
    """Per runner and batch size what its turns took."""
    runners: dict[str, Runner] = {EAGER: _eager(inference)}
    runners |= {name: GraphSession(path, settings.threads) for name, path in paths.items()}
    figures: dict[str, dict[str, dict[str, float]]] = {name: {} for name in runners}
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        for size in settings.batch_sizes:
            seconds = _take_turns(runners, _batch(rows, size), settings)
            reference = float(np.median(seconds[baseline]))
            for name, values in seconds.items():
                figures[name][str(size)] = _summarize(values, size, reference)
    finally:
        torch.set_num_threads(threads)
    return figures


def _batch(rows: Rows, size: int) -> NDArray[Any]:
    return rows.take(np.arange(size, dtype=np.int64) % len(rows))


def _eager(inference: nn.Module) -> Runner:
    def run(batch: NDArray[Any]) -> Any:
        with torch.inference_mode():
            return inference(torch.from_numpy(batch))

    return run


def _take_turns(runners: dict[str, Runner], batch: NDArray[Any], settings: Latency) -> dict[str, NDArray[np.float64]]:
    for _ in range(settings.warmup):
        for run in runners.values():
            run(batch)
    seconds = {name: np.empty(settings.repeats) for name in runners}
    for turn in range(settings.repeats):
        for name, run in runners.items():
            begin = time.perf_counter()
            run(batch)
            seconds[name][turn] = time.perf_counter() - begin
    return seconds


def _summarize(seconds: NDArray[np.float64], size: int, reference: float) -> dict[str, float]:
    median, high = np.percentile(seconds, [50, 95])
    return {
        "p50_ms": round(float(median) * 1e3, 4),
        "p95_ms": round(float(high) * 1e3, 4),
        "rows_per_second": round(size / float(median), 1),
        "speedup": round(reference / float(median), 3),
    }


def _machine() -> dict[str, Any]:
    """What must be the same for times to be comparable."""
    return {
        "cpu": processor(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "libraries": {name: version(name) for name in ("onnxruntime", "torch")},
    }
