"""What a graph adds to the memory of a process; run by its path, so that the process holds little else.

python memory_probe.py GRAPH BATCH THREADS    BATCH: an .npy file; prints a number of bytes
"""

import contextlib
import os
import resource
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else loading it writes a device id and uses the network
import onnxruntime

_RUNS = 3
_ERRORS_ONLY = 3
_PEAK = "5"
"""What makes Linux forget the peak so far (proc_pid_clear_refs(5))."""


def main(graph: str, batch: str, threads: str) -> None:
    """Print by how many bytes the graph and a few runs of it raise the peak of this process."""
    rows = np.load(batch, allow_pickle=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    before = _forget_peak()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for _ in range(_RUNS):
        session.run(None, {name: rows})
    print(max(0, _peak() - before))


def _forget_peak() -> int:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_PEAK, encoding="ascii")
    return _peak()


def _peak() -> int:
    """The largest resident size so far, in bytes."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.is_file() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    # macOS counts bytes, others kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # onnxruntime has no public base class of its errors, and its messages have many lines
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
