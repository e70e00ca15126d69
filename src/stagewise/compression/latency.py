"""How long each candidate takes, beside the network in PyTorch: figures that no later stage reads."""

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

from stagewise.compression.session import GraphSession
from stagewise.config.schema.compress import Latency
from stagewise.data.rows import Rows

EAGER = "pytorch"
"""Name of the network before compression, run operator by operator."""

Runner = Callable[[NDArray[Any]], Any]


def measure_latency(settings: Latency, inference: nn.Module, paths: dict[str, Path], rows: Rows) -> dict[str, Any]:
    """Time the network and every graph on batches of real rows, in turns, so that all meet the same machine.

    Returns:
        The content of latency.json: per runner and batch size the median and 95th percentile in
        milliseconds and the rows per second at the median.
    """
    runners: dict[str, Runner] = {EAGER: _eager(inference)}
    runners |= {name: GraphSession(path, settings.threads) for name, path in paths.items()}
    threads = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        figures: dict[str, dict[str, dict[str, float]]] = {name: {} for name in runners}
        for size in settings.batch_sizes:
            batch = rows.take(np.arange(size, dtype=np.int64) % len(rows))
            for name, seconds in _take_turns(runners, batch, settings).items():
                figures[name][str(size)] = _summarize(seconds, size)
    finally:
        torch.set_num_threads(threads)
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "libraries": {name: version(name) for name in ("onnxruntime", "torch")},
        "threads": settings.threads,
        "repeats": settings.repeats,
        "batch_sizes": figures,
    }


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


def _summarize(seconds: NDArray[np.float64], size: int) -> dict[str, float]:
    median, high = np.percentile(seconds, [50, 95])
    return {
        "p50_ms": round(float(median) * 1e3, 4),
        "p95_ms": round(float(high) * 1e3, 4),
        "rows_per_second": round(size / float(median), 1),
    }
